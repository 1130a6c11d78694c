// Package sandboxcore is the stand-in for the government refund core: the other
// side of core-protocol.md, version 1, in one http.Handler.
//
// It is written from the protocol page alone and shares nothing with the client
// in gateway/refundcore, its signatures included: one misreading of the page
// must not hide in both.
//
// # The book
//
// What the core knows (requests, refunds, releases, returns) is the book
// (book.go). It changes only by records, and a record is appended to the journal
// (journal.go) before it is applied. Replaying the journal over the seed gives
// the same book, so a kill -9 loses nothing: no answer of any call leaves before
// everything that it could have seen is on disk. Calls that wait for the disk at
// the same time share one fsync.
//
// # A call
//
// calls.go takes a call through its stations: it is read and its signature
// checked (door.go, httpsig.go), its fault is chosen (hostile.go), it is carried
// out on the book, the journal is waited for, and the answer is signed and sent,
// as the fault will have it (answer.go). Each call is in the history
// (history.go), those without an answer too, so that a test can ask what the
// core really received.
//
// # Time
//
// An accepted refund is pending until its time has come (settle.go); then the
// money is released and the gateway called back, at least once (callbacks.go).
//
// # Being awkward
//
// Polite, the core misbehaves only as the fault board says, and in one way of
// its own: the first refund of p14 has its effect and is never answered. Not
// polite, it also draws faults at the rates of hostile.go, each counted on the
// board. What each kind of fault does is in three places: instead.go has those
// that take the place of the work or of its answer, answer.go those that are in
// the answer, and calls.go and settle.go those that are in what the book does. A
// kind that needs something on the book to be about waits for a call that has it
// (visit.go, possible).
//
// # Forgetting
//
// A core that forgets a reference (retention is over) still keeps rule 2, because
// it is the request that remembers who has it. So nobody finds the reference: a
// status is a 404 for good, and a re-send is refused with already_refunded, naming
// the channel "bank" and the very reference that was sent. That refusal is not
// entered in the book: a status that then said "rejected" would deny money that
// left, which is a lie and not forgetfulness. What accounts for money stays: the
// refund ends at its time, the gateway is called back, list and settlement tell of
// it. Where the request is free again (returned), a re-send is one like any other.
package sandboxcore

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// Config is what a Core is made of. Faults is required; the zero value of
// everything else has a meaning.
type Config struct {
	Seed     uint64                // of all that is random: delays, faults, the order of fields
	Requests []sandboxseed.Request // the book to begin with, and to go back to at Reset

	// UserOf says whose number it is (the login, e.g. "p01"; "" nobody's), for
	// faults that match a user. nil: nobody's.
	UserOf func(partyNumber string) string

	BankKeys map[string]ed25519.PublicKey // by keyid; nil: "bank-80" with the key of TestKey
	Key      ed25519.PrivateKey           // the core's own; nil: TestKey
	KeyID    string                       // of Key; "": "core-1"

	CallbackURL string            // where callbacks are posted; "": nowhere
	Transport   http.RoundTripper // for callbacks; nil: a transport of its own

	Dir    string              // of the journal; "": in memory only
	Faults *sandboxfault.Board // shared with the other stand-ins
	Polite bool                // no random faults
	Rates  map[string]float64  // of random faults, by kind; those that aren't named have the usual

	// A refund is pending for a time between the two. Both 0: 300 ms to 1.5 s
	// when polite, 300 ms to 10 s otherwise.
	SettleMin, SettleMax time.Duration

	Log *slog.Logger // nil: silent
}

// Core is the stand-in. It is safe for concurrent use.
type Core struct {
	cfg     Config
	log     *slog.Logger
	door    *door
	book    *book
	dice    *dice
	climate climate
	atOnce  float64
	history *history
	handler http.Handler

	settling agenda[string]   // references of refunds to which something will happen
	arriving agenda[arrival]  // submissions that come late
	calling  agenda[delivery] // callbacks on their way
	client   *http.Client

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup
	close  func() error
}

// Effect is one refund that the core accepted, on either channel, and how often
// its money was released, returned by the bank, and taken back by the core itself.
type Effect struct {
	RequestID string `json:"request_id"`
	Reference string `json:"reference"`
	Channel   string `json:"channel"` // "bank" or "portal"
	Amount    int64  `json:"amount"`  // halalas, of one release
	IBAN      string `json:"iban"`    // to which the money goes
	Released  int    `json:"released"`
	Returned  int    `json:"returned"`
	Reversed  int    `json:"reversed"`
}

// New opens the book and starts settling what is pending in it. The caller must
// Close the Core.
func New(cfg Config) (*Core, error) {
	if cfg.Faults == nil {
		return nil, errors.New("sandboxcore: Config.Faults is missing")
	}
	cfg = cfg.withDefaults()
	if cfg.SettleMin < 0 || cfg.SettleMax < cfg.SettleMin {
		return nil, fmt.Errorf("sandboxcore: settling between %v and %v is no span of time", cfg.SettleMin, cfg.SettleMax)
	}
	book, err := openBook(cfg.Dir, cfg.Requests)
	if err != nil {
		return nil, fmt.Errorf("sandboxcore: %w", err)
	}
	c := &Core{
		cfg:     cfg,
		log:     cfg.Log,
		door:    newDoor(cfg.BankKeys),
		book:    book,
		dice:    newDice(cfg.Seed, cfg.Faults.Restarts()),
		climate: climateOf(cfg.Rates),
		atOnce:  atOnceRate,
		history: new(history),
		client:  newCallbackClient(cfg.Transport),
	}
	c.settling.init()
	c.arriving.init()
	c.calling.init()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.close = sync.OnceValue(c.shutDown)
	c.handler = c.routes()
	c.resume()
	c.work.Go(c.settle)
	c.work.Go(c.arrive)
	c.work.Go(c.callBack)
	return c, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.UserOf == nil {
		cfg.UserOf = func(string) string { return "" }
	}
	if cfg.BankKeys == nil {
		cfg.BankKeys = map[string]ed25519.PublicKey{bankKeyID(sandboxseed.BankCode): TestKey().Public().(ed25519.PublicKey)}
	}
	if cfg.Key == nil {
		cfg.Key = TestKey()
	}
	if cfg.KeyID == "" {
		cfg.KeyID = "core-1"
	}
	if cfg.SettleMin == 0 && cfg.SettleMax == 0 {
		cfg.SettleMin, cfg.SettleMax = 300*time.Millisecond, 10*time.Second
		if cfg.Polite {
			cfg.SettleMax = 1500 * time.Millisecond
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Handler returns the core's API, base path /core/v1. It leaves deadlines to the
// server. A call that a fault has hung is let go, unanswered, when its client
// goes or the Core is closed.
func (c *Core) Handler() http.Handler { return c.handler }

// Reset puts the book back to its seed and forgets the history. Callbacks on
// their way are dropped.
func (c *Core) Reset() error {
	c.settling.clear()
	c.arriving.clear()
	c.calling.clear()
	if err := c.book.reset(); err != nil {
		return fmt.Errorf("sandboxcore: reset: %w", err)
	}
	c.history.clear()
	return nil
}

// History returns the calls that arrived and the callbacks that were made,
// oldest first: all that are remembered, or those of one reference.
func (c *Core) History(reference string) []Call { return c.history.list(reference) }

// Truth returns every refund that the core accepted, in the order of acceptance,
// as the book has it: what a referee measures everybody else's story by.
func (c *Core) Truth() []Effect { return c.book.truth() }

// Rate is how often a kind of fault happens of its own accord, 0 to 1.
func (c *Core) Rate(kind string) float64 {
	if c.cfg.Polite {
		return 0
	}
	return c.climate.rate(kind)
}

// Pay enters fees that somebody paid since the seed, until the next Reset. One
// whose ID is known already is left alone.
func (c *Core) Pay(fees ...sandboxseed.Request) error {
	if err := c.book.pay(fees); err != nil {
		return fmt.Errorf("sandboxcore: pay: %w", err)
	}
	return nil
}

// Requests returns the seed's requests, and those paid since, with their state
// of now. Refundable and Reason are the seed's.
func (c *Core) Requests() []sandboxseed.Request { return c.book.current() }

// Close ends the background work, lets hung calls go and closes the journal.
// Calls that arrive afterwards are answered 503.
func (c *Core) Close() error { return c.close() }

func (c *Core) shutDown() error {
	c.cancel()
	c.work.Wait()
	c.client.CloseIdleConnections()
	return c.book.close()
}
