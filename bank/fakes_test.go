package bank_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
	"github.com/istirdad/istirdad/otp/otptest"
)

// trouble is what the fakes answer with instead of doing what they are asked, by the method's name.
type trouble struct {
	mu sync.Mutex
	by map[string]error
}

func (t *trouble) set(method string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.by = map[string]error{method: err}
}

func (t *trouble) at(ctx context.Context, method string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.by[method]; err != nil {
		return err
	}
	return ctx.Err()
}

// directory is a bank with these customers and these staff.
type directory struct {
	*trouble
	customers map[string]bank.Customer
	staff     map[string]bank.Staff
	asked     int // for a customer by the id
}

func (d *directory) Find(ctx context.Context, identity saudi.Party) (bank.Customer, error) {
	if err := d.at(ctx, "Find"); err != nil {
		return bank.Customer{}, err
	}
	for _, c := range d.customers {
		if c.Identity == identity {
			return c, nil
		}
	}
	return bank.Customer{}, bank.ErrNotFound
}

func (d *directory) Staff(ctx context.Context, employee string) (bank.Staff, error) {
	if err := d.at(ctx, "Staff"); err != nil {
		return bank.Staff{}, err
	}
	s, ok := d.staff[employee]
	if !ok {
		return bank.Staff{}, bank.ErrNotFound
	}
	return s, nil
}

// lookups is the record of look-ups, in memory.
type lookups struct {
	*trouble
	all []bank.Lookup
}

func (l *lookups) RecordLookup(ctx context.Context, looked bank.Lookup, most int) error {
	if err := l.at(ctx, "RecordLookup"); err != nil {
		return err
	}
	before := 0
	for _, other := range l.all {
		if other.Employee == looked.Employee && saudi.DateOf(other.At) == saudi.DateOf(looked.At) {
			before++
		}
	}
	if before >= most {
		return bank.ErrTooOften
	}
	l.all = append(l.all, looked)
	return nil
}

func (l *lookups) Tallies(ctx context.Context, branch string, p bank.Page) (tallies []bank.LookupTally, next string, err error) {
	if err := l.at(ctx, "Tallies"); err != nil {
		return nil, "", err
	}
	if p.Cursor != "" {
		return nil, "", bank.ErrCursor
	}
	for _, looked := range l.all {
		if branch == "" || branch == looked.Branch {
			tallies = append(tallies, bank.LookupTally{Day: saudi.DateOf(looked.At), Branch: looked.Branch, Employee: looked.Employee, Found: 1})
		}
	}
	return tallies, "", nil
}

// sightings answers what a test wants seen.
type sightings struct {
	*trouble
	bank.Seen
	ledger *otptest.Ledger
	sought []bank.Sought
	hangs  bool // until whoever asks gives up
}

func (s *sightings) Seek(ctx context.Context, sought bank.Sought) (bank.Seen, error) {
	s.sought = append(s.sought, sought)
	if s.hangs {
		<-ctx.Done()
	}
	return s.Seen, s.at(ctx, "Seek")
}

func (s *sightings) Read(ctx context.Context, customer string) (otp.Record, error) {
	if err := s.at(ctx, "Read"); err != nil {
		return otp.Record{}, err
	}
	return s.ledger.Read(ctx, customer)
}

// approvals are of all refunds in the book.
type approvals struct {
	*book
	lookups *lookups
}

func (a approvals) Awaiting(ctx context.Context, now time.Time, branch string, p bank.Page) ([]gateway.Refund, string, error) {
	if err := a.at(ctx, "Awaiting"); err != nil {
		return nil, "", err
	}
	if p.Cursor != "" {
		return nil, "", bank.ErrCursor
	}
	return slices.DeleteFunc(slices.Clone(a.refunds), func(r gateway.Refund) bool {
		return r.State != gateway.AwaitingApproval || !now.Before(r.Due) || branch != "" && branch != r.Origin.Branch
	}), "", nil
}

func (a approvals) Lookup(ctx context.Context, id string) (gateway.Refund, error) {
	if err := a.at(ctx, "Lookup"); err != nil {
		return gateway.Refund{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.refunds, func(r gateway.Refund) bool { return r.ID == id })
	if i < 0 {
		return gateway.Refund{}, gateway.ErrNotFound
	}
	return a.refunds[i], nil
}

func (a approvals) IdentityChecks(ctx context.Context, sessions []string) (map[string]bank.IdentityCheck, error) {
	checks := map[string]bank.IdentityCheck{}
	for _, l := range a.lookups.all {
		if l.Check != nil && slices.Contains(sessions, l.ID) {
			checks[l.ID] = *l.Check
		}
	}
	return checks, a.at(ctx, "IdentityChecks")
}

// counter keeps assisted sessions, in memory.
type counter struct {
	*trouble
	sessions map[string]*visit
}

type visit struct {
	bank.AssistedSession
	idle time.Time
}

func (c *counter) find(d bank.Desk, id string) (*visit, error) {
	v, err := c.look(d, id)
	if err == nil {
		v.idle = time.Now().Add(bank.AssistedIdle)
	}
	return v, err
}

func (c *counter) look(d bank.Desk, id string) (*visit, error) {
	v, now := c.sessions[id], time.Now()
	if v == nil || v.Desk != d || !now.Before(v.idle) || !now.Before(v.Ends) {
		return nil, bank.ErrNotFound
	}
	return v, nil
}

func (c *counter) Session(ctx context.Context, d bank.Desk, id string) (bank.AssistedSession, error) {
	if err := c.at(ctx, "Session"); err != nil {
		return bank.AssistedSession{}, err
	}
	v, err := c.look(d, id)
	if err != nil {
		return bank.AssistedSession{}, err
	}
	return v.AssistedSession, nil
}

func (c *counter) Open(ctx context.Context, s bank.AssistedSession) error {
	if err := c.at(ctx, "Open"); err != nil {
		return err
	}
	c.sessions[s.ID] = &visit{s, time.Now().Add(bank.AssistedIdle)}
	return nil
}

func (c *counter) Use(ctx context.Context, d bank.Desk, id string) (bank.AssistedSession, error) {
	if err := c.at(ctx, "Use"); err != nil {
		return bank.AssistedSession{}, err
	}
	v, err := c.find(d, id)
	if err != nil {
		return bank.AssistedSession{}, err
	}
	return v.AssistedSession, nil
}

func (c *counter) Verify(ctx context.Context, d bank.Desk, id string) (time.Time, error) {
	if err := c.at(ctx, "VerifyAssisted"); err != nil {
		return time.Time{}, err
	}
	v, err := c.find(d, id)
	if err != nil {
		return time.Time{}, err
	}
	v.Verified = true
	if v.Ends.Before(v.idle) {
		return v.Ends, nil
	}
	return v.idle, nil
}

func (c *counter) End(ctx context.Context, d bank.Desk, id string) error {
	if err := c.at(ctx, "End"); err != nil {
		return err
	}
	if _, err := c.find(d, id); err != nil {
		return err
	}
	delete(c.sessions, id)
	return nil
}

func (d *directory) Customer(ctx context.Context, id string) (bank.Customer, error) {
	d.asked++
	if err := d.at(ctx, "Customer"); err != nil {
		return bank.Customer{}, err
	}
	c, ok := d.customers[id]
	if !ok {
		return bank.Customer{}, bank.ErrNotFound
	}
	return c, nil
}

// inquiries is a core with these requests; a cursor is how many were told before.
type inquiries struct {
	*trouble
	requests []bank.PaidRequest
	searches []bank.Search
	circle   bool             // after the last page comes the first
	balances [][2]saudi.Party // asked for: identifier and payer
}

// Balances has all that is left of what the identifier benefits from in one bucket.
func (i *inquiries) Balances(ctx context.Context, identifier, payer saudi.Party) (b bank.Balance, err error) {
	if err := i.at(ctx, "Balances"); err != nil {
		return bank.Balance{}, err
	}
	i.balances = append(i.balances, [2]saudi.Party{identifier, payer})
	for _, r := range i.requests {
		if r.Beneficiary == identifier && (payer.IsZero() || r.Payer == payer) {
			b.Total += r.Amount
		}
	}
	for n, bucket := range moi.Buckets() {
		b.Buckets = append(b.Buckets, bank.BucketSum{Bucket: bucket})
		if n == 0 {
			b.Buckets[n].Amount = b.Total
		}
	}
	return b, nil
}

func (i *inquiries) Search(ctx context.Context, s bank.Search) (page []bank.PaidRequest, next string, err error) {
	if err := i.at(ctx, "Search"); err != nil {
		return nil, "", err
	}
	i.searches = append(i.searches, s)
	var found []bank.PaidRequest
	for _, r := range i.requests {
		if (r.Payer == s.Party || r.Beneficiary == s.Party) && (s.Service == "" || r.Service == s.Service) &&
			(s.RequestID == "" || r.RequestID == s.RequestID) {
			found = append(found, r)
		}
	}
	from, _ := strconv.Atoi(s.Cursor)
	to := min(from+s.Limit, len(found))
	switch {
	case to < len(found):
		next = strconv.Itoa(to)
	case i.circle:
		next = "0"
	}
	return found[from:to], next, nil
}

// book is a gateway.Store's part that the path needs, in memory.
type book struct {
	*trouble
	mu      sync.Mutex
	refunds []gateway.Refund
	events  []gateway.Event
	spent   money.Amount // before these refunds
	stale   func(int)    // called on each Apply with how many came before; then the Apply is stale
	applies int
	lives   []int // of how many requests each call of Live was

	withdrawn []string              // previews that can't be confirmed any more
	accept    func(context.Context) // called at the beginning of Accept
	withdraw  func()                // called at the beginning of Withdraw
	look      func() func()         // called at the beginning of Refund, and what it returns at the end
}

func (b *book) find(customer, id string) (int, error) {
	i := slices.IndexFunc(b.refunds, func(r gateway.Refund) bool { return r.ID == id && r.Origin.Customer == customer })
	if i < 0 {
		return i, gateway.ErrNotFound
	}
	return i, nil
}

func (b *book) Accept(ctx context.Context, a gateway.Acceptance) (gateway.Refund, bool, error) {
	if b.accept != nil {
		b.accept(ctx)
	}
	if err := b.at(ctx, "Accept"); err != nil {
		return gateway.Refund{}, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i, err := b.find(a.Origin.Customer, a.ID); err == nil {
		return b.refunds[i], false, nil
	}
	if slices.Contains(b.withdrawn, a.ID) {
		return gateway.Refund{}, false, gateway.ErrNotFound
	}
	spent, dead := b.spent, 0
	for _, r := range b.refunds {
		switch same := r.Payment.RequestID == a.Payment.RequestID; {
		case same && !r.State.Dead():
			return gateway.Refund{}, false, gateway.ErrRefundExists
		case same:
			dead++
		case !r.State.Dead():
			spent += r.Payment.Amount
		}
	}
	r, event, err := a.Refund(dead, spent)
	if err != nil {
		return gateway.Refund{}, false, err
	}
	b.refunds, b.events = append(b.refunds, r), append(b.events, event)
	return r, true, nil
}

func (b *book) Withdraw(ctx context.Context, _ time.Time, customer, id string) (gateway.Refund, bool, error) {
	if b.withdraw != nil {
		b.withdraw()
	}
	if err := b.at(ctx, "Withdraw"); err != nil {
		return gateway.Refund{}, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i, err := b.find(customer, id); err == nil {
		return b.refunds[i], true, nil
	}
	b.withdrawn = append(b.withdrawn, id)
	return gateway.Refund{}, false, nil
}

func (b *book) Refund(ctx context.Context, customer, id string) (gateway.Refund, error) {
	if b.look != nil {
		defer b.look()()
	}
	if err := b.at(ctx, "Refund"); err != nil {
		return gateway.Refund{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i, err := b.find(customer, id)
	if err != nil {
		return gateway.Refund{}, err
	}
	return b.refunds[i], nil
}

func (b *book) Accepted(ctx context.Context, customer, id string) (gateway.Refund, error) {
	return b.Refund(ctx, customer, id)
}

func (b *book) Refunds(ctx context.Context, customer string, p bank.Page) ([]gateway.Refund, string, error) {
	if err := b.at(ctx, "Refunds"); err != nil {
		return nil, "", err
	}
	if p.Cursor != "" {
		return nil, "", bank.ErrCursor
	}
	return slices.DeleteFunc(slices.Clone(b.refunds), func(r gateway.Refund) bool {
		return r.Origin.Customer != customer || p.Request != "" && (p.Request != r.Payment.RequestID || r.State.Dead())
	}), "", nil
}

func (b *book) Events(ctx context.Context, id string) ([]gateway.Event, error) {
	return slices.DeleteFunc(slices.Clone(b.events), func(e gateway.Event) bool { return e.RefundID != id }), b.at(ctx, "Events")
}

func (b *book) Live(ctx context.Context, requestIDs []string) (map[string]bool, error) {
	b.lives = append(b.lives, len(requestIDs))
	live := map[string]bool{}
	for _, r := range b.refunds {
		if !r.State.Dead() && slices.Contains(requestIDs, r.Payment.RequestID) {
			live[r.Payment.RequestID] = true
		}
	}
	return live, b.at(ctx, "Live")
}

func (b *book) Spent(ctx context.Context, _ string, day saudi.Date) (money.Amount, error) {
	spent := b.spent
	for _, r := range b.refunds {
		if !r.State.Dead() && saudi.DateOf(r.CreatedAt) == day {
			spent += r.Payment.Amount
		}
	}
	return spent, b.at(ctx, "Spent")
}

func (b *book) Apply(ctx context.Context, c gateway.Change) error {
	if err := b.at(ctx, "Apply"); err != nil {
		return err
	}
	if b.stale != nil {
		b.stale(b.applies)
		b.applies++
		return gateway.ErrStale
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	after := c.Refund()
	i, err := b.find(after.Origin.Customer, after.ID)
	if err != nil || b.refunds[i].Version != c.From() {
		return gateway.ErrStale
	}
	b.refunds[i] = after
	if event, ok := c.Event(); ok {
		b.events = append(b.events, event)
	}
	return nil
}

// sessions keeps what may vanish, in memory.
type sessions struct {
	*trouble
	mu       sync.Mutex
	proofs   map[bank.Holder]proof
	keys     map[bank.Key]claim // without their bodies
	previews map[bank.Holder]map[string]bank.Preview
	used     func() // called on each use of a proof
}

type proof struct {
	idle, ends time.Time
	challenge  string
}

type claim struct {
	body    [32]byte
	preview string
	until   time.Time
}

func newSessions(t *trouble) *sessions {
	return &sessions{
		trouble: t, proofs: map[bank.Holder]proof{}, keys: map[bank.Key]claim{}, previews: map[bank.Holder]map[string]bank.Preview{},
	}
}

func (s *sessions) Prove(ctx context.Context, h bank.Holder, challenge string) (time.Time, error) {
	if err := s.at(ctx, "Prove"); err != nil {
		return time.Time{}, err
	}
	now := time.Now()
	s.proofs[h] = proof{now.Add(bank.ProofIdle), now.Add(bank.ProofLife), challenge}
	return now.Add(bank.ProofIdle), nil
}

func (s *sessions) UseProof(ctx context.Context, h bank.Holder) (string, error) {
	if err := s.at(ctx, "UseProof"); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, now := s.proofs[h], time.Now()
	if !now.Before(p.idle) || !now.Before(p.ends) {
		return "", bank.ErrNoProof
	}
	p.idle = now.Add(bank.ProofIdle)
	s.proofs[h] = p
	if s.used != nil {
		s.used()
	}
	return p.challenge, nil
}

func bodiless(k bank.Key) bank.Key { k.Body = [32]byte{}; return k }

func (s *sessions) Begin(ctx context.Context, k bank.Key) (string, error) {
	if err := s.at(ctx, "Begin"); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, held := s.keys[bodiless(k)]
	switch {
	case !held || !time.Now().Before(c.until):
		s.keys[bodiless(k)] = claim{k.Body, "", time.Now().Add(bank.KeyInProgress)}
		return "", nil
	case c.body != k.Body:
		return "", bank.ErrKeyReused
	case c.preview == "":
		return "", bank.ErrKeyBusy
	}
	return c.preview, nil
}

func (s *sessions) Abandon(ctx context.Context, k bank.Key) error {
	if err := s.at(ctx, "Abandon"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[bodiless(k)].preview == "" {
		delete(s.keys, bodiless(k))
	}
	return nil
}

func (s *sessions) KeepPreview(ctx context.Context, k bank.Key, p bank.Preview) error {
	if err := s.at(ctx, "KeepPreview"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.previews[k.Holder] == nil {
		s.previews[k.Holder] = map[string]bank.Preview{}
	}
	s.previews[k.Holder][p.ID] = p
	s.keys[bodiless(k)] = claim{k.Body, p.ID, time.Now().Add(bank.PreviewMemory)}
	return nil
}

func (s *sessions) Preview(ctx context.Context, h bank.Holder, id string) (bank.Preview, error) {
	if err := s.at(ctx, "Preview"); err != nil {
		return bank.Preview{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, found := s.previews[h][id]
	if !found || !time.Now().Before(p.CreatedAt.Add(bank.PreviewMemory)) {
		return bank.Preview{}, bank.ErrNotFound
	}
	return p, nil
}

func (s *sessions) DropPreview(ctx context.Context, h bank.Holder, id string) error {
	if err := s.at(ctx, "DropPreview"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.previews[h], id)
	for k, c := range s.keys {
		if c.preview == id {
			delete(s.keys, k)
		}
	}
	return nil
}

func (s *sessions) Drop(ctx context.Context, h bank.Holder) error {
	if err := s.at(ctx, "Drop"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.proofs, h)
	delete(s.previews, h)
	maps.DeleteFunc(s.keys, func(k bank.Key, _ claim) bool { return k.Holder == h })
	return nil
}

// endings is the record of ended sessions: until when each is remembered.
type endings struct {
	*trouble
	until map[string]time.Time
}

func (e *endings) End(ctx context.Context, _ time.Time, session string, until time.Time) error {
	if err := e.at(ctx, "End"); err != nil {
		return err
	}
	e.until[session] = until
	return nil
}

func (e *endings) Ended(ctx context.Context, session string) (bool, error) {
	_, ended := e.until[session]
	return ended, e.at(ctx, "Ended")
}

// meter has so many uses left for each caller.
type meter struct {
	*trouble
	left map[string]int
}

func (m *meter) Take(ctx context.Context, _ time.Time, caller string, _ bank.Rate) (time.Duration, error) {
	if err := m.at(ctx, "Take"); err != nil {
		return 0, err
	}
	if m.left[caller]--; m.left[caller] < 0 {
		return time.Minute, nil
	}
	return 0, nil
}
