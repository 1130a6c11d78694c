package refundcore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/internal/outbound"
)

// outgoing is one request before it is signed.
type outgoing struct {
	call   string // what it is called in metrics and traces
	method string
	path   string
	body   []byte
}

// facts is all that is known of one call once it is over.
type facts struct {
	outbound.Exchange
	request *http.Request
	sandbox bool  // a stand-in answered where none may
	flaw    error // why the answer can't be believed; nil when its signature holds
}

// call makes one call through the guard of its kind and lets judge turn what happened into an outcome.
func (c *Client) call(ctx context.Context, g *guard, out outgoing, reference string, judge func(facts) error) error {
	asked := time.Now()
	err := g.do(ctx, func(bounded context.Context) error {
		began := time.Now()
		f := c.exchange(bounded, out)
		err := judge(f)
		c.report(ctx, g.call, reference, f, err, time.Since(began))
		return err
	})
	c.observe(out.call, outcomeOf(err), time.Since(asked))
	return err
}

// exchange makes exactly one HTTP request and says what became of it.
func (c *Client) exchange(ctx context.Context, out outgoing) facts {
	req, nonce, err := c.request(ctx, out)
	if err != nil {
		return facts{Exchange: outbound.Exchange{Err: errors.New("not a request")}} // its own words would quote the URL
	}
	f := facts{request: req, Exchange: c.http.Call(ctx, out.call, req, out.body)}
	if f.Err == nil {
		f.sandbox = c.refuseSandbox && outbound.FromSandbox(f.Header)
		f.flaw = c.verifier.answer(f.Exchange, nonce)
	}
	return f
}

func (c *Client) request(ctx context.Context, out outgoing) (*http.Request, string, error) {
	u := c.base
	u.Path = out.path
	req, err := http.NewRequestWithContext(ctx, out.method, u.String(), nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "istirdad")
	if len(out.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	nonce := newNonce()
	c.signer.sign(req, out.body, stamp{time.Now(), nonce})
	return req, nonce, nil
}

// report logs an outcome that decides nothing: an error where somebody has to look, because time won't mend it.
func (c *Client) report(ctx context.Context, call dispatch.Call, reference string, f facts, err error, took time.Duration) {
	attrs := []slog.Attr{slog.String("call", string(call)), slog.Duration("took", took)}
	if reference != "" {
		attrs = append(attrs, slog.String("reference", reference))
	}
	var unknown *gateway.UnknownError
	switch {
	case errors.As(err, &unknown):
		level := slog.LevelWarn
		if alarming(unknown.Cause) {
			level = slog.LevelError
		}
		attrs = append(attrs, slog.String("cause", unknown.Cause), slog.Int("status", f.Status))
		if unknown.Err != nil {
			attrs = append(attrs, slog.String("error", unknown.Err.Error()))
		}
		c.log.LogAttrs(ctx, level, "refund core: outcome unknown", attrs...)
	case errors.Is(err, gateway.ErrNotSent):
		attrs = append(attrs, slog.String("error", err.Error()))
		c.log.LogAttrs(ctx, slog.LevelWarn, "refund core: not sent", attrs...)
	case errors.Is(err, gateway.ErrReferenceReused):
		c.log.LogAttrs(ctx, slog.LevelError, "refund core: reference known with another body", attrs...)
	}
}

// unavailable is what every failed inquiry comes to, for callers that can do nothing about it.
func unavailable(err error) error {
	if err == nil || errors.Is(err, bank.ErrCursor) {
		return err
	}
	return fmt.Errorf("%w: %w", bank.ErrCoreUnavailable, err)
}
