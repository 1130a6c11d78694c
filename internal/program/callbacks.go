package program

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/refundcore"
)

// callbacks takes the core's hints: verified, noted, and then the question is asked that they hint at.
type callbacks struct {
	core       *refundcore.Client
	store      Store
	dispatcher *dispatch.Dispatcher
}

func (c *callbacks) Receive(r *http.Request, body []byte) error {
	callback, err := c.core.VerifyCallback(r, body)
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrCallback, err)
	}
	// The hint first: one that comes twice only has the question put again, and one that was noted and not taken would
	// never be. A refund that we don't know is noted and nothing more: reconciliation will ask about it.
	if err := c.dispatcher.Hint(r.Context(), callback.Reference); err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return err
	}
	_, err = c.store.Seen(r.Context(), callback.EventID, time.Now())
	return err
}
