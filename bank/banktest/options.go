package banktest

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// An Option says how a World that is started is to be.
type Option func(*options)

type options struct {
	sandbox.Options
	hear    func(*Response)
	through func(http.RoundTripper) http.RoundTripper
}

// Crowd adds n customers, c00001 and so on, with three iqama renewals of 163.00 each.
func Crowd(n int) Option { return func(o *options) { o.Crowd = n } }

// Employer adds the customer "employer", who has paid n fees for their workers: most of them iqama renewals of 650.00, a
// seventh of them used up.
func Employer(n int) Option { return func(o *options) { o.Employer = n } }

// Hostile makes the government core awkward of its own accord, in the way that the seed draws.
func Hostile(seed uint64) Option {
	return func(o *options) { o.Polite, o.Seed = false, seed }
}

// Dir keeps everything in a folder, so that a later world can go on where this one stopped.
func Dir(path string) Option { return func(o *options) { o.Dir = path } }

// Profile has the gateway go by a profile of the bank's (configs/profile.example.yaml) instead of the sandbox's own. When
// the file changes, the gateway goes by what it says then, some seconds later.
func Profile(path string) Option { return func(o *options) { o.Profile = path } }

// Servers has the gateway work on a real PostgreSQL and a real Redis instead of the embedded stores: in a fresh schema,
// and in a logical database of Redis that no other world uses at the same time, because Reset empties it of everything
// that is a gateway's. Either may be empty.
func Servers(databaseURL, redisURL string) Option {
	return func(o *options) { o.DatabaseURL, o.RedisURL = databaseURL, redisURL }
}

// At takes the addresses of an earlier world, whose tokens then still hold.
func At(u URLs) Option {
	return func(o *options) {
		for address, of := range map[*string]string{
			&o.Gateway: u.Gateway, &o.Ops: u.Ops, &o.Core: u.Core, &o.Bank: u.Bank, &o.Control: u.Control,
		} {
			*address = strings.TrimPrefix(of, "http://")
		}
	}
}

// Log is where the gateway logs; nowhere unless given.
func Log(log *slog.Logger) Option { return func(o *options) { o.Log = log } }

// Hear is called with every answer of the channel API to a customer, from the goroutine that made the call.
func Hear(hear func(*Response)) Option { return func(o *options) { o.hear = hear } }

// Through has the calls of customers to the channel API made through a transport around the world's own, which sees each
// request and its answer as they are on the wire.
func Through(wrap func(http.RoundTripper) http.RoundTripper) Option {
	return func(o *options) { o.through = wrap }
}
