package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	answerMax = 4 << 20 // bytes of an answer; the longest is a tenth of it
	pauseBase = 200 * time.Millisecond
	pauseMost = 5 * time.Second // between attempts, unless Retry-After asks for more
	patience  = time.Minute     // a longer Retry-After is the caller's to decide on
)

// repetition says whether a call may be made again.
type repetition bool

const (
	once  repetition = false
	again repetition = true
)

// answer is what came back, with a status below 300.
type answer struct {
	header http.Header
	body   []byte
}

// replayed reports whether the gateway gave this answer before.
func (a answer) replayed() bool { return a.header.Get("Idempotent-Replay") == "true" }

// call sends a request that generated code made, and decodes its answer into v unless that is nil.
func (c *Client) call(ctx context.Context, how repetition, v any, req *http.Request, err error) (answer, error) {
	if err != nil {
		return answer{}, errNotMade
	}
	a, _, err := c.send(ctx, how, req)
	if err != nil || v == nil {
		return a, err
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return a, fmt.Errorf("client: the answer isn't what the contract says: %w", err)
	}
	return a, nil
}

// errNotMade hides why a request can't be made: it would repeat what was given.
var errNotMade = errors.New("client: what was given makes no request")

// end sends a request that makes something be no more. When an answer got lost, "there is none" to the next attempt is
// the success of an earlier one.
func (c *Client) end(ctx context.Context, none Code, req *http.Request, err error) error {
	if err != nil {
		return errNotMade
	}
	_, doubt, err := c.send(ctx, again, req)
	if doubt && errors.Is(err, none) {
		return nil
	}
	return err
}

// send makes a call, repeatedly if it may be. doubt says that an attempt before the last may have had an effect.
func (c *Client) send(ctx context.Context, how repetition, req *http.Request) (a answer, doubt bool, err error) {
	for attempt := 1; ; attempt++ {
		a, err = c.attempt(ctx, req)
		wait, worth := worthRepeating(err)
		if err == nil || how == once || !worth || attempt >= c.attempts || wait > patience {
			return a, doubt, err
		}
		if !pause(ctx, max(wait, backoff(attempt))) {
			return a, doubt, err // the cause says more than the deadline that forbids another attempt
		}
		doubt = doubt || !errors.Is(err, ErrTryAgain)
	}
}

// worthRepeating tells whether an attempt failed in a way that another needn't, and how long to wait at least.
func worthRepeating(err error) (time.Duration, bool) {
	var p *Problem
	switch {
	case errors.Is(err, ErrNoAnswer):
		return 0, true
	case !errors.As(err, &p):
		return 0, false
	case p.Code == ErrTryAgain, p.Code == ErrIdempotencyInProgress:
		return p.RetryAfter, true
	case p.Code == "": // of a proxy that got no answer
		return p.RetryAfter, p.Status == http.StatusBadGateway || p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout
	}
	return 0, false
}

// backoff is how long to wait after the nth failure in a row: twice as long each time, less a random half, so that a crowd
// that failed together doesn't come back together.
func backoff(n int) time.Duration {
	d := min(pauseBase<<min(n-1, 10), pauseMost)
	return d/2 + rand.N(d/2) //nolint:gosec // G404: spreading load needs no secrecy
}

// pause waits. It is false, at once, when the context ends before.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt makes a call once and reads its answer to the end.
func (c *Client) attempt(ctx context.Context, req *http.Request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.open(ctx, req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := read(res)
	if err != nil {
		return answer{}, err
	}
	return answer{res.Header, body}, nil
}

// open makes a call once. The answer's status is below 300, and its body is the caller's to close.
func (c *Client) open(ctx context.Context, req *http.Request) (*http.Response, error) {
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: no token: %w", err)
	}
	r := req.Clone(ctx)
	if req.GetBody != nil {
		if r.Body, err = req.GetBody(); err != nil {
			return nil, errNotMade
		}
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept-Language", c.language)
	if c.assisted != "" {
		r.Header.Set("Assisted-Session", c.assisted)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	if res.StatusCode < http.StatusMultipleChoices {
		return res, nil
	}
	defer res.Body.Close()
	body, err := read(res)
	if err != nil {
		return nil, err
	}
	return nil, problemOf(res.StatusCode, res.Header, body)
}

func read(res *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it breaks off: %w", ErrNoAnswer, err)
	case len(body) > answerMax:
		return nil, errors.New("client: the answer is longer than any that the contract allows")
	}
	return body, nil
}
