package sandbox

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/sqlite"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/seal"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// book is the durable store of a gateway, as the world uses it behind that gateway's back.
type book interface {
	rows
	otp.Ledger
	Reset(ctx context.Context) error // empties it
	Close() error
}

// store is a book on which a gateway can run.
type store interface {
	book
	program.Store
}

// embeddedBook is the store of a sandbox that needs no server.
type embeddedBook struct{ *sqlite.Store }

func openEmbeddedBook(ctx context.Context, o Options, sealer *seal.Sealer) (store, error) {
	opened, err := sqlite.Open(ctx, filepath.Join(o.Dir, "gateway.db"), sealer, sqlite.Options{
		Migrate: true, Resettable: true, Log: o.Log,
	})
	if err != nil {
		return nil, err
	}
	return embeddedBook{opened}, nil
}

// States visits what the referee needs of every refund.
func (b embeddedBook) States(ctx context.Context, visit func(id, reference string, state gateway.State) error) error {
	return b.Each(ctx, func(r gateway.Refund) error { return visit(r.ID, r.Reference, r.State) })
}

// memory is the Redis of a gateway: codes, proofs, previews.
type memory struct {
	client redisstore.Client
	wipe   func(context.Context) error // of all that is a gateway's
	close  func()
}

// commandTimeout is longer than a gateway's own: on one machine with everything else a server is never silent, only slow.
const commandTimeout = 2 * time.Second

func openEmbeddedMemory() (*memory, error) {
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	client, err := redisstore.NewClient(redisstore.Options{Addrs: []string{server.Addr()}, CommandTimeout: commandTimeout})
	if err != nil {
		server.Close()
		return nil, err
	}
	return &memory{
		client: client,
		wipe:   func(context.Context) error { server.FlushAll(); return nil },
		close:  func() { _ = client.Close(); server.Close() },
	}, nil
}

// openMemory is a real Redis. It connects to it when it is first used.
func openMemory(url string) (*memory, error) {
	client, err := redisstore.NewClient(redisstore.Options{URL: url, CommandTimeout: commandTimeout})
	if err != nil {
		return nil, err
	}
	return &memory{
		client: client,
		wipe:   func(ctx context.Context) error { return wipe(ctx, client) },
		close:  func() { _ = client.Close() },
	}, nil
}
