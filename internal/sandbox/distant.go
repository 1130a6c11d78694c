package sandbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
)

// distantBook is the book of a gateway that runs somewhere else. It is opened when it is first needed: the sandbox is
// often up before that gateway has made its schema. It opens no sealed value, so it needs no key of that gateway.
type distantBook struct {
	url string
	log *slog.Logger

	mu     sync.Mutex
	opened *postgres.Store
}

// open is the store, and why there is none (yet).
func (b *distantBook) open(ctx context.Context) (*postgres.Store, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened != nil {
		return b.opened, nil
	}
	var err error
	b.opened, err = postgres.Open(ctx, b.url, blind(), postgres.Options{Pool: distantPool, ClaimPool: 1, Log: b.log})
	return b.opened, err
}

// distantPool is enough for a referee and for a crowd that is forgiven: the server's connections are the gateways'.
const distantPool = 16

// blind is a sealer that opens nothing.
func blind() *seal.Sealer {
	s, err := seal.New("none", make([]byte, seal.MasterLen))
	if err != nil {
		panic("sandbox: " + err.Error()) // both are constants
	}
	return s
}

// States visits what the referee needs of every refund.
func (b *distantBook) States(ctx context.Context, visit func(id, reference string, state gateway.State) error) error {
	s, err := b.open(ctx)
	if err != nil {
		return err
	}
	return s.States(ctx, visit)
}

// Update is otp.Ledger's.
func (b *distantBook) Update(ctx context.Context, now time.Time, customer string, change func(otp.Record) (otp.Record, error)) (otp.Record, error) {
	s, err := b.open(ctx)
	if err != nil {
		return otp.Record{}, err
	}
	return s.Update(ctx, now, customer, change)
}

// Read is otp.Ledger's.
func (b *distantBook) Read(ctx context.Context, customer string) (otp.Record, error) {
	s, err := b.open(ctx)
	if err != nil {
		return otp.Record{}, err
	}
	return s.Read(ctx, customer)
}

// lull is how long the stand-ins stay shut once a gateway elsewhere has lost its rows. An attempt whose row was there
// when it began finds nobody meanwhile; from then on none begins without a row.
const lull = 500 * time.Millisecond

// Reset empties the book, and lets what was under way come to nothing.
func (b *distantBook) Reset(ctx context.Context) error {
	if err := postgres.Reset(ctx, b.url); err != nil {
		return err
	}
	select {
	case <-time.After(lull):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close lets go of the server.
func (b *distantBook) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened == nil {
		return nil
	}
	return b.opened.Close()
}
