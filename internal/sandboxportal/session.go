package sandboxportal

import (
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	sessionIdle = 15 * time.Minute // without use
	sessionLife = time.Hour        // in all

	// What a person's sessions hold at most: beyond, the oldest goes.
	sessionsEach = 8
	captchasEach = 4  // of a session: several windows
	refundsEach  = 32 // of a session: looked at, not confirmed
)

// A session is one sign-in of a person. What can change in it is under the lock
// of sessions.
type session struct {
	token  string
	person sandboxseed.Person
	party  saudi.Party // nobody, for staff without a number
	began  time.Time

	used     time.Time
	captchas []*captcha // oldest first
	refunds  []refund   // oldest first
	shown    *inquiry   // what the page of a balance shows
}

// sessions are all that are alive, and what is in them.
type sessions struct {
	mu       sync.Mutex
	live     map[string]*session   // by token
	of       map[string][]*session // by user, oldest first
	captchas map[string]*captcha   // of all sessions
}

func newSessions() *sessions {
	s := new(sessions)
	s.reset()
	return s
}

func (ss *sessions) reset() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.live, ss.of, ss.captchas = map[string]*session{}, map[string][]*session{}, map[string]*captcha{}
}

func (ss *sessions) open(person sandboxseed.Person, party saudi.Party) *session {
	now := time.Now()
	s := &session{token: rand.Text(), person: person, party: party, began: now, used: now}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, old := range slices.Clone(ss.of[person.User]) {
		if old.over(now) || len(ss.of[person.User]) >= sessionsEach {
			ss.drop(old)
		}
	}
	ss.live[s.token] = s
	ss.of[person.User] = append(ss.of[person.User], s)
	return s
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.used) >= sessionIdle || now.Sub(s.began) >= sessionLife
}

// find returns the session of a token, and counts as use of it.
func (ss *sessions) find(token string) (*session, bool) {
	now := time.Now()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s, ok := ss.live[token]
	if !ok {
		return nil, false
	}
	if s.over(now) {
		ss.drop(s)
		return nil, false
	}
	s.used = now
	return s, true
}

func (ss *sessions) end(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.drop(s)
}

// drop is called with the lock held.
func (ss *sessions) drop(s *session) {
	delete(ss.live, s.token)
	for _, c := range s.captchas {
		delete(ss.captchas, c.id)
	}
	user := s.person.User
	ss.of[user] = slices.DeleteFunc(ss.of[user], func(other *session) bool { return other == s })
	if len(ss.of[user]) == 0 {
		delete(ss.of, user)
	}
}

// put adds a picture code to a session.
func (ss *sessions) put(s *session, c *captcha) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.live[s.token] != s {
		return // signed out, or put back to the seed, meanwhile
	}
	if len(s.captchas) >= captchasEach {
		delete(ss.captchas, s.captchas[0].id)
		s.captchas = slices.Delete(s.captchas, 0, 1)
	}
	s.captchas = append(s.captchas, c)
	ss.captchas[c.id] = c
}

// solve uses a picture code of the session up, and says whether it was right.
func (ss *sessions) solve(s *session, id, code string) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	at := slices.IndexFunc(s.captchas, func(c *captcha) bool { return c.id == id })
	if at < 0 {
		return false
	}
	c := s.captchas[at]
	s.captchas = slices.Delete(s.captchas, at, at+1)
	delete(ss.captchas, id)
	return c.is(code, time.Now())
}

// captcha returns a picture code that is still good.
func (ss *sessions) captcha(id string) (captcha, bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	c, ok := ss.captchas[id]
	if !ok || !c.alive(time.Now()) {
		return captcha{}, false
	}
	return *c, true
}

// captchaOf is captcha for the session that it was made for.
func (ss *sessions) captchaOf(s *session, id string) (captcha, bool) {
	c, ok := ss.captcha(id)
	return c, ok && c.session == s
}

// keep remembers a refund that is being looked at.
func (ss *sessions) keep(s *session, f refund) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(s.refunds) >= refundsEach {
		s.refunds = slices.Delete(s.refunds, 0, 1)
	}
	s.refunds = append(s.refunds, f)
}

func (ss *sessions) refund(s *session, id string) (refund, bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, f := range s.refunds {
		if f.id == id {
			return f, true
		}
	}
	return refund{}, false
}

// show keeps what the page of a balance shows until the next inquiry: a number
// typed into a form must not go into the URL of the page that answers it.
func (ss *sessions) show(s *session, i inquiry) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.shown = &i
}

func (ss *sessions) shown(s *session) (inquiry, bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.shown == nil {
		return inquiry{}, false
	}
	return *s.shown, true
}
