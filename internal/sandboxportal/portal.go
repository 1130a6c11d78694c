package sandboxportal

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Book is the core's book, as the portal sees it. What it has said survives a
// crash. Its errors either refuse for good, and then have the method Refused that
// gives a code of the core's POST /refunds (or "unknown_request") and for
// already_refunded the channel that was faster, "bank" or "portal"; or they say
// that nothing is known now.
type Book interface {
	// Balance is what waits for a number, by bucket.
	Balance(of saudi.Party) (map[string]int64, error)
	// PaidBy is what somebody paid, newest first, as of now.
	PaidBy(payer saudi.Party) ([]sandboxseed.Request, error)
	// CheckOnPortal returns a request that could be refunded now, or the refusal.
	CheckOnPortal(requestID string, payer saudi.Party) (sandboxseed.Request, error)
	// RefundOnPortal has its effect once per id, and none if the amount isn't that
	// of the request any more. In halalas.
	RefundOnPortal(id, requestID string, amount int64, payer saudi.Party) error
	// RefundedOnPortal is the request that went back to the payer under an id.
	RefundedOnPortal(id string, payer saudi.Party) (r sandboxseed.Request, found bool, err error)
}

// Portal is safe for concurrent use.
type Portal struct {
	book     Book
	people   map[string]sandboxseed.Person // by user
	sessions *sessions
	sources  *limiter[netip.Prefix]
	numbers  *limiter[saudi.Party]
	closed   func(user string) (until time.Time, closed bool)
	handler  http.Handler
}

// New makes the portal of those people over that book. closed says whether a
// person ("": who hasn't signed in) finds it under maintenance, and until when;
// nil: nobody does.
func New(people []sandboxseed.Person, book Book, closed func(user string) (until time.Time, closed bool)) *Portal {
	if closed == nil {
		closed = func(string) (time.Time, bool) { return time.Time{}, false }
	}
	p := &Portal{
		closed: closed,
		book:   book, people: make(map[string]sandboxseed.Person, len(people)),
		sessions: newSessions(),
		sources:  newLimiter[netip.Prefix](inquiriesPerSource),
		numbers:  newLimiter[saudi.Party](inquiriesPerNumber),
	}
	for _, person := range people {
		p.people[person.User] = person
	}
	p.handler = p.routes()
	return p
}

// Handler serves everything below /portal, and sends whoever comes to / there.
func (p *Portal) Handler() http.Handler { return p.handler }

// Reset signs everybody out and forgets the limits.
func (p *Portal) Reset() {
	p.sessions.reset()
	p.sources.reset()
	p.numbers.reset()
}

// Captcha is what a picture says, without using it up: for tests, which can't
// see it. false when there is no such picture any more.
func (p *Portal) Captcha(id string) (code string, found bool) {
	c, found := p.sessions.captcha(id)
	return c.code, found
}

// A refusal is a no that is told to people, in words.go.
type refusal struct {
	code    string
	channel string        // of already_refunded: who was faster
	wait    time.Duration // of rate_limited and maintenance
}

func (r *refusal) Error() string { return "sandboxportal: refused: " + r.code }

// errTryAgain is told when the book can't say.
var errTryAgain = &refusal{code: codeTryAgain}

// refused turns an error of the book into what people are told. A request that
// they did not pay is one that isn't there.
func refused(err error) *refusal {
	var no interface {
		error
		Refused() (code, channel string)
	}
	if !errors.As(err, &no) {
		return errTryAgain
	}
	switch code, channel := no.Refused(); code {
	case codeFeeConsumed, codeNotRefundable, codeAmountChanged:
		return &refusal{code: code}
	case codeAlreadyRefunded:
		return &refusal{code: code, channel: channel}
	default:
		return &refusal{code: codeNotFound}
	}
}

// signIn returns a new session.
func (p *Portal) signIn(user, password string) (*session, error) {
	person, known := p.people[user]
	right := subtle.ConstantTimeCompare([]byte(password), []byte(sandboxseed.Password)) == 1
	if !known || !right {
		return nil, &refusal{code: codeUnauthenticated}
	}
	party, err := saudi.NewParty(saudi.Kind(person.IDKind), person.IDNumber)
	if err != nil && person.IDNumber != "" {
		return nil, fmt.Errorf("sandboxportal: who is %s: %w", user, err)
	}
	return p.sessions.open(person, party), nil
}

// An inquiry is what waits for a number.
type inquiry struct {
	party   saudi.Party
	buckets []bucket // all six
	total   int64
}

type bucket struct {
	moi.Bucket
	amount int64
}

// question is what is typed to get one.
type question struct {
	number             string
	captchaID, captcha string
	source             netip.Prefix
}

// inquire is paths A and B. Nothing in it depends on whether anybody has the
// number.
func (p *Portal) inquire(s *session, q question) (inquiry, error) {
	party, err := saudi.ParseInquirer(q.number)
	if err != nil {
		return inquiry{}, &refusal{code: codeIDInvalid}
	}
	if !s.mayAskFreely(party) {
		if wait, ok := p.sources.take(q.source); !ok {
			return inquiry{}, &refusal{code: codeRateLimited, wait: wait}
		}
		if !p.sessions.solve(s, q.captchaID, saudi.Digits(q.captcha)) {
			return inquiry{}, &refusal{code: codeCaptchaWrong}
		}
		// A stranger's questions about a number don't keep its owner out.
		if party != s.party {
			if wait, ok := p.numbers.take(party); !ok {
				return inquiry{}, &refusal{code: codeRateLimited, wait: wait}
			}
		}
	}
	totals, err := p.book.Balance(party)
	if err != nil {
		return inquiry{}, refused(err)
	}
	return newInquiry(party, totals), nil
}

func newInquiry(party saudi.Party, totals map[string]int64) inquiry {
	i := inquiry{party: party}
	for _, b := range moi.Buckets() {
		i.buckets = append(i.buckets, bucket{b, totals[b.ID]})
		i.total += totals[b.ID]
	}
	return i
}

// mayAskFreely: their own number, and it is an iqama's.
func (s *session) mayAskFreely(about saudi.Party) bool {
	return about == s.party && about.Kind() == saudi.KindIqama
}

// remaining is what is left of all that somebody paid, for whomever.
func (p *Portal) remaining(s *session) (inquiry, error) {
	paid, err := p.paid(s)
	if err != nil {
		return inquiry{}, err
	}
	totals := make(map[string]int64)
	for _, r := range paid {
		if r.State == sandboxseed.StateAvailable {
			totals[r.Bucket] += r.Amount
		}
	}
	return newInquiry(s.party, totals), nil
}

func (p *Portal) paid(s *session) ([]sandboxseed.Request, error) {
	paid, err := p.book.PaidBy(s.party)
	if err != nil {
		return nil, refused(err)
	}
	return paid, nil
}

// A refund is one that is shown to be checked, or one that was confirmed.
type refund struct {
	id      string
	request sandboxseed.Request
	done    bool
}

// begin is "continue" of path C: nothing has happened yet.
func (p *Portal) begin(s *session, requestID string) (refund, error) {
	request, err := p.book.CheckOnPortal(requestID, s.party)
	if err != nil {
		return refund{}, refused(err)
	}
	f := refund{id: "PT-" + rand.Text(), request: request}
	p.sessions.keep(s, f)
	return f, nil
}

// find returns a refund of the person's: confirmed, whenever that was, or under
// way in this session.
func (p *Portal) find(s *session, id string) (refund, error) {
	request, done, err := p.book.RefundedOnPortal(id, s.party)
	if err != nil {
		return refund{}, refused(err)
	}
	if done {
		return refund{id, request, true}, nil
	}
	f, found := p.sessions.refund(s, id)
	if !found {
		return refund{}, &refusal{code: codeNotFound}
	}
	return f, nil
}

// confirm is "confirm" of path C: of what was shown, or of nothing. Again, it is
// the same refund.
func (p *Portal) confirm(s *session, id string) (refund, error) {
	f, err := p.find(s, id)
	if err != nil || f.done {
		return f, err
	}
	if err := p.book.RefundOnPortal(id, f.request.ID, f.request.Amount, s.party); err != nil {
		return refund{}, refused(err)
	}
	f.done = true
	return f, nil
}
