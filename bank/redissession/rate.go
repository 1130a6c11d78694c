package redissession

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/istirdad/istirdad/bank"
)

// Take counts one use, unless the caller has had all that there are in the period that ends now. The period glides:
// there is no moment at which everybody may begin anew.
func (s *Sessions) Take(ctx context.Context, now time.Time, caller string, r bank.Rate) (wait time.Duration, err error) {
	if caller == "" || r.Most < 1 || r.Per < time.Millisecond {
		return 0, errors.New("redissession: nobody, or nothing that could be counted")
	}
	key := RatePrefix + "{" + s.index("caller", caller) + "}:" + r.Of
	ms, err := s.take.Run(ctx, s.redis, []string{key}, now.UnixMilli(), r.Per.Milliseconds(), r.Most).Int64()
	if err != nil {
		return 0, fmt.Errorf("redissession: counting: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
