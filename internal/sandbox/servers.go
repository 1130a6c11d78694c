package sandbox

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/internal/seal"
)

// serverBook is the book of the sandbox's own gateway on a real server, in a schema of its own.
type serverBook struct {
	*postgres.Store
	url  string                      // of the schema
	drop func(context.Context) error // nil: it is kept
}

func openServerBook(ctx context.Context, o Options, sealer *seal.Sealer) (_ store, err error) {
	b := serverBook{}
	if b.url, b.drop, err = ownSchema(ctx, o); err != nil {
		return nil, err
	}
	defer func() { //nolint:contextcheck // what was made is taken away also when ctx is over
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if err = postgres.Migrate(ctx, b.url, postgres.MigrateOptions{Log: o.Log}); err != nil {
		return nil, err
	}
	if b.Store, err = postgres.Open(ctx, b.url, sealer, postgres.Options{Pool: ownPool, Log: o.Log}); err != nil {
		return nil, err
	}
	return b, nil
}

// ownPool is twice a gateway's usual pool. Where gateway, server and a crowd share one machine a connection comes free
// late, and whoever waits for one for long is refused.
const ownPool = 32

// ownSchema is the URL of a schema for this world: a fresh one, which drop takes away again, or with a folder that is
// kept the one that was made there the first time.
func ownSchema(ctx context.Context, o Options) (schemaURL string, drop func(context.Context) error, err error) {
	if o.passing {
		return postgres.CreateSchema(ctx, o.DatabaseURL)
	}
	options, err := kept(filepath.Join(o.Dir, "schema"), func() ([]byte, error) {
		made, _, err := postgres.CreateSchema(ctx, o.DatabaseURL)
		return []byte(optionsOf(made)), err
	})
	if err != nil {
		return "", nil, err
	}
	schemaURL, err = withOptions(o.DatabaseURL, string(options))
	return schemaURL, nil, err
}

// The parameter "options" of a database's URL is where CreateSchema puts the name of the schema. It alone is kept: the
// rest of the URL is given anew each time, and its password belongs in no file of ours.
const optionsKey = "options"

func optionsOf(schemaURL string) string {
	u, err := url.Parse(schemaURL)
	if err != nil {
		return ""
	}
	return u.Query().Get(optionsKey)
}

func withOptions(databaseURL, options string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", errors.New("sandbox: not the URL of a database") // err would quote it
	}
	query := u.Query()
	query.Set(optionsKey, options)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // a "+" is a plus to PostgreSQL's own programs
	return u.String(), nil
}

// Reset empties the schema.
func (b serverBook) Reset(ctx context.Context) error { return postgres.Reset(ctx, b.url) }

// dropMax is how long a schema may take to go.
const dropMax = 10 * time.Second

// Close lets go of the server, and of a schema that isn't kept.
func (b serverBook) Close() error {
	var err error
	if b.Store != nil {
		err = b.Store.Close()
	}
	if b.drop == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dropMax)
	defer cancel()
	return errors.Join(err, b.drop(ctx))
}
