package sandbox

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

// resident is the gateway that lives in the sandbox: the production one, over whatever stores it was given.
type resident struct {
	config program.Config
	store  store
	memory *memory
	sealer *seal.Sealer

	made atomic.Pointer[program.Gateway] // anew by renew: breakers and caches are part of the world
	halt func()                          // stops the dispatcher and waits for what is under way
}

// renew makes the gateway, in place of the one that there was.
func (r *resident) renew() error {
	made, err := program.New(r.config, r.store, r.memory.client, r.sealer)
	if err != nil {
		return err
	}
	if old := r.made.Swap(made); old != nil {
		old.Close()
	}
	return nil
}

// serve answers with the gateway that there is at the moment.
func (r *resident) serve(handler func(*program.Gateway) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { handler(r.made.Load()).ServeHTTP(w, req) })
}

// resume sets the dispatcher to work.
func (r *resident) resume(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	gateway := r.made.Load()
	go func() {
		defer close(done)
		gateway.Run(ctx)
	}()
	r.halt = func() { cancel(); <-done }
}

// forgive gives back the customer's budget of SMS and ends a block.
func (r *resident) forgive(ctx context.Context, customer string) error {
	return errors.Join(clearLedger(ctx, r.store, customer), r.made.Load().Reopen(ctx, customer))
}

func (r *resident) close() { r.made.Load().Close() }

// clearLedger forgets the SMS that a customer cost, and the wrong codes.
func clearLedger(ctx context.Context, ledger otp.Ledger, customer string) error {
	_, err := ledger.Update(ctx, time.Now(), customer, func(otp.Record) (otp.Record, error) { return otp.Record{}, nil })
	return err
}
