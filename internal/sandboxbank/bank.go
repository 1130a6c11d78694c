package sandboxbank

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// Config is what a Bank cannot live without, and where it keeps its files.
type Config struct {
	// Issuer is the URL, without a path, under which Handler is served: it is
	// in every token and in every address of the discovery document.
	Issuer string
	World  sandboxseed.World
	Board  *sandboxfault.Board
	// Dir holds the ledger and the signing keys. Empty: memory only.
	Dir string
}

// Bank is safe for concurrent use.
type Bank struct {
	issuer string
	board  *sandboxfault.Board
	people directory
	keys   *keyring
	codes  *codes
	ledger *ledger

	closed chan struct{}
	close  func()

	mu       sync.Mutex
	statuses map[string]string // IBAN to account status, where it differs from the seed
}

// Open starts a bank, with the ledger and the keys that Dir holds.
func Open(cfg Config) (*Bank, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || u.Path != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("sandboxbank: issuer %q is not a URL without a path", cfg.Issuer)
	}
	keys, err := openKeyring(cfg.Dir)
	if err != nil {
		return nil, err
	}
	ledger, err := openLedger(cfg.Dir)
	if err != nil {
		return nil, err
	}
	closed := make(chan struct{})
	return &Bank{
		issuer: cfg.Issuer, board: cfg.Board,
		people: newDirectory(cfg.World), keys: keys, codes: newCodes(), ledger: ledger,
		closed: closed, close: sync.OnceFunc(func() { close(closed) }),
		statuses: make(map[string]string),
	}, nil
}

// Handler serves the issuer and /bank/v1.
func (b *Bank) Handler() http.Handler {
	mux := http.NewServeMux()
	b.routeIdentity(mux)
	b.routeAPI(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Refund-Core", "sandbox")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

// Close ends the calls that a fault holds in silence and closes the ledger.
// Credits after it are refused with 503.
func (b *Bank) Close() error {
	b.close()
	return b.ledger.close()
}

// Reset puts accounts back to the seed and empties the ledger, on disk too.
// Keys stay, so that whoever is signed in stays so.
func (b *Bank) Reset() error {
	b.mu.Lock()
	clear(b.statuses)
	b.mu.Unlock()
	b.codes.reset()
	return b.ledger.reset()
}

// Rotate signs with a new key from now on. The old one stays in the JWKS until
// the last token that it signed has expired.
func (b *Bank) Rotate() error { return b.keys.rotate() }

// SetAccountStatus makes an account active, closed or frozen until Reset: a
// customer who closes theirs between asking and being credited.
func (b *Bank) SetAccountStatus(iban, status string) error {
	known := []string{sandboxseed.AccountActive, sandboxseed.AccountClosed, sandboxseed.AccountFrozen}
	if !slices.Contains(known, status) {
		return fmt.Errorf("sandboxbank: no account status %q", status)
	}
	if _, ok := b.people.byIBAN[iban]; !ok {
		return errors.New("sandboxbank: no such account")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.statuses[iban] = status
	return nil
}

func (b *Bank) status(a sandboxseed.Account) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, ok := b.statuses[a.IBAN]; ok {
		return s
	}
	return a.Status
}

// Credit is an entry of the ledger as the referee sees it. Posted counts the
// postings that the book really holds under the reference: 0 when refused, and
// never more than 1 unless the bank paid twice.
type Credit struct {
	Reference string
	IBAN      string
	Amount    int64  // halalas
	State     string // "posted" or "refused"
	Posted    int
}

// Credits are all entries that are on record, by reference.
func (b *Bank) Credits() []Credit { return b.ledger.credits() }

// directory finds people by what they are asked for with.
type directory struct {
	byUser     map[string]sandboxseed.Person
	byID       map[string]sandboxseed.Person // customers, by ID number
	byIBAN     map[string]holder
	byEmployee map[string]sandboxseed.Person // the first login of each
}

// holder is an account with the user whose it is.
type holder struct {
	user    string
	account sandboxseed.Account
}

func newDirectory(w sandboxseed.World) directory {
	n := len(w.People)
	d := directory{
		byUser:     make(map[string]sandboxseed.Person, n),
		byID:       make(map[string]sandboxseed.Person, n),
		byIBAN:     make(map[string]holder, n),
		byEmployee: make(map[string]sandboxseed.Person),
	}
	for _, p := range w.People {
		d.byUser[p.User] = p
		for _, a := range p.Accounts {
			d.byIBAN[a.IBAN] = holder{p.User, a}
		}
		if p.Role == sandboxseed.RoleCustomer {
			d.byID[p.IDNumber] = p
			continue
		}
		if _, taken := d.byEmployee[p.Employee]; !taken {
			d.byEmployee[p.Employee] = p
		}
	}
	return d
}

// customer is by customer id, which is their user.
func (d directory) customer(id string) (sandboxseed.Person, bool) {
	p, ok := d.byUser[id]
	return p, ok && p.Role == sandboxseed.RoleCustomer
}
