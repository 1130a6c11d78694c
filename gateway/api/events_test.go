package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/outbound/outboundtest"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// confirmedAt is shortly before midnight in Riyadh, and the day before in London.
var confirmedAt = time.Date(2026, time.March, 5, 20, 59, 0, 0, time.UTC)

// refundIn is a refund in a state, of which everything can be shown.
func refundIn(t *testing.T, state gateway.State) gateway.Refund {
	t.Helper()
	to, err := saudi.NewIBAN("80", "555608000000003")
	if err != nil {
		t.Fatal(err)
	}
	beneficiary, err := saudi.NewParty(saudi.KindIqama, "2900000015")
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Refund{
		ID: "0198f0c0-0000-7000-8000-000000000001", Reference: "RFK5EWJTN6GVB8STYT",
		Payment: gateway.Payment{
			Service: "090-003", Name: moi.Name{AR: "تجديد إقامة (سنة)", EN: `Renew <Iqama> & "more", 12 months`}, Amount: 12_650_00,
			Beneficiary: beneficiary,
		},
		To: to, CreatedAt: confirmedAt, Promised: saudi.Date{Year: 2026, Month: time.March, Day: 10}, State: state,
	}
}

// shelf is a book with one refund in it, or with none yet.
type shelf struct {
	bank.Book // nobody asks anything else of it
	mu        sync.Mutex
	refund    gateway.Refund
	events    []gateway.Event
	err       error // of every read
	latestErr error // of the watcher's question alone
}

func (s *shelf) Refund(_ context.Context, customer, id string) (gateway.Refund, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && (len(s.events) == 0 || id != s.refund.ID || customer != s.refund.Origin.Customer) {
		return gateway.Refund{}, gateway.ErrNotFound
	}
	return s.refund, s.err
}

func (s *shelf) Events(context.Context, string) ([]gateway.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events), s.err
}

func (s *shelf) Latest(context.Context, []string) (map[string]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		return nil, errors.Join(s.err, s.latestErr)
	}
	return map[string]int64{s.refund.ID: s.events[len(s.events)-1].Version}, errors.Join(s.err, s.latestErr)
}

// move brings the refund to a state, at the given version.
func (s *shelf) move(state gateway.State, version int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, gateway.Event{RefundID: s.refund.ID, Version: version, At: time.Now(), From: s.refund.State, To: state})
	s.refund.State, s.refund.Version, s.refund.UpdatedAt = state, version, time.Now()
}

// stay raises the version and changes nothing that a customer sees.
func (s *shelf) stay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refund.Version++
}

func (s *shelf) fail(err, latest error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.latestErr = err, latest
}

// drawer holds one preview.
type drawer struct {
	bank.Sessions
	mu      sync.Mutex
	preview bank.Preview
}

func (d *drawer) Preview(_ context.Context, h bank.Holder, id string) (bank.Preview, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id != d.preview.ID || h.Customer != d.preview.Origin.Customer {
		return bank.Preview{}, bank.ErrNotFound
	}
	return d.preview, nil
}

// doorkeeper believes one customer's token until it expires, and as long as err is nil.
type doorkeeper struct {
	mu      sync.Mutex
	expires time.Time
	err     error
}

func (k *doorkeeper) Verify(_ context.Context, bearer string) (bank.Caller, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil && !time.Now().Before(k.expires) {
		return bank.Caller{}, bank.ErrUnauthenticated
	}
	scope := bank.ScopeRefunds
	if strings.HasPrefix(bearer, "t") {
		scope = bank.ScopeTeller
	}
	return bank.Caller{Subject: bearer, Session: "s1", Client: "web", Employee: "E100", Branch: "101", Scopes: []bank.Scope{scope}, Expires: k.expires}, k.err
}

func (k *doorkeeper) refuse(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// counterTop is a counter with one assisted session of the teller t01, for p01.
type counterTop struct {
	bank.AssistedSessions
	mu    sync.Mutex
	uses  int
	ended bool
}

func (c *counterTop) Use(ctx context.Context, d bank.Desk, id string) (bank.AssistedSession, error) {
	c.mu.Lock()
	c.uses++
	c.mu.Unlock()
	return c.Session(ctx, d, id)
}

func (c *counterTop) Session(_ context.Context, d bank.Desk, id string) (bank.AssistedSession, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || d.Login != "t01" || id != "visit" {
		return bank.AssistedSession{}, bank.ErrNotFound
	}
	return bank.AssistedSession{ID: id, Desk: d, Customer: "p01", Verified: true}, nil
}

// streams is a gateway of which the customer p01 may follow one refund.
type streams struct {
	t       *testing.T
	shelf   *shelf
	drawer  *drawer
	keeper  *doorkeeper
	counter *counterTop
	watcher *bank.Watcher
	metrics *counting
	log     *logBook
	pipes   *outboundtest.Pipes
	server  *http.Server
	client  *http.Client
	others  sync.WaitGroup
}

// meanwhile does something while the test reads; the test ends after it.
func (s *streams) meanwhile(do func()) { s.others.Go(do) }

// follow runs a test in fake time, with a server whose limits are the product's.
func follow(t *testing.T, most int, test func(*streams)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &streams{
			t: t, drawer: &drawer{}, counter: &counterTop{}, keeper: &doorkeeper{expires: time.Now().Add(time.Hour)}, metrics: &counting{}, log: &logBook{},
			shelf: &shelf{refund: refundIn(t, "")},
			pipes: outboundtest.Listen(),
		}
		s.shelf.refund.Origin = gateway.Origin{Customer: "p01", Session: "s1"}
		log := slog.New(slog.NewTextHandler(s.log, nil))
		s.watcher = bank.NewWatcher(s.shelf, most, log)
		path, err := bank.NewPath(bank.Config{
			Book: s.shelf, Sessions: s.drawer, Counter: s.counter, Watcher: s.watcher, Log: log,
			Terms: func() bank.Terms {
				return bank.Terms{
					BankCode: "80", PromiseDays: 3, OnlineLimit: 1, CounterLimit: 1, ApproveAbove: 1, BackOffice: "x", Code: otp.DefaultForm(),
					Thresholds: bank.DefaultThresholds(),
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		handler, err := api.New(api.Config{Path: path, Identity: s.keeper, Log: log, Metrics: s.metrics})
		if err != nil {
			t.Fatal(err)
		}
		s.server = &http.Server{
			Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		}
		s.server.RegisterOnShutdown(s.watcher.Close)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.server.Serve(s.pipes)
		}()
		transport := &http.Transport{DialContext: s.pipes.Dial}
		s.client = &http.Client{Transport: transport}
		defer func() {
			s.others.Wait()
			transport.CloseIdleConnections()
			if err := s.server.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			<-done
			if n := s.watcher.Watches(); n != 0 {
				t.Errorf("%d watches are left", n)
			}
		}()
		test(s)
	})
}

// told is one event, and when it came.
type told struct {
	after       time.Duration // since the stream was asked for
	event, data string
	id          string
	retry       string
}

// events is an open stream.
type events struct {
	*http.Response
	*streams
	began time.Time
	lines *bufio.Scanner
}

// ask asks for a stream, or for whatever is at that end of the refund.
func (s *streams) ask(end, customer string, header ...string) *events {
	s.t.Helper()
	return s.get("/v1/refunds/"+s.shelf.refund.ID+end, customer, header...)
}

func (s *streams) get(path, customer string, header ...string) *events {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://gateway"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+customer)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	e := &events{streams: s, began: time.Now()}
	if e.Response, err = s.client.Do(req); err != nil {
		s.t.Fatal(err)
	}
	e.lines = bufio.NewScanner(e.Body)
	return e
}

// open asks for a stream, which must begin.
func (s *streams) open(header ...string) *events {
	s.t.Helper()
	return s.openAs("p01", header...)
}

func (s *streams) openAs(caller string, header ...string) *events {
	s.t.Helper()
	e := s.ask("/events", caller, header...)
	if e.StatusCode != http.StatusOK || e.Header.Get("Content-Type") != "text/event-stream" ||
		e.Header.Get("X-Accel-Buffering") != "no" || e.Header.Get("Cache-Control") != "no-store" {
		s.t.Fatalf("it begins with %d %v", e.StatusCode, e.Header)
	}
	return e
}

// next is the next event; false at the end of the stream.
func (e *events) next() (told, bool) {
	e.t.Helper()
	var got told
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch name {
		case "":
			got.after = time.Since(e.began)
			return got, true
		case "event":
			got.event = value
		case "data":
			got.data = value
		case "id":
			got.id = value
		case "retry":
			got.retry = value
		default:
			e.t.Errorf("a line is %q", e.lines.Text())
		}
	}
	if err := e.lines.Err(); err != nil {
		e.t.Errorf("the stream breaks off: %v", err)
	}
	return got, false
}

// rest is all that is still to come, and when the stream ended. Whatever goes on meanwhile is done, too.
func (e *events) rest() (all []told, ended time.Duration) {
	e.t.Helper()
	for {
		got, more := e.next()
		if !more {
			e.Body.Close()
			ended = time.Since(e.began)
			e.others.Wait()
			return all, ended
		}
		all = append(all, got)
	}
}

// shown takes out pings and retries, which tests have of their own.
func shown(all []told) (refunds []told) {
	for _, e := range all {
		if e.event == "refund" {
			refunds = append(refunds, e)
		}
	}
	return refunds
}

func ids(all []told) (ids []string) {
	for _, e := range shown(all) {
		ids = append(ids, e.id)
	}
	return ids
}

func (s *streams) body() string {
	s.t.Helper()
	got := s.ask("", "p01")
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode != http.StatusOK {
		s.t.Fatalf("%d %s %v", got.StatusCode, body, err)
	}
	return strings.TrimSpace(string(body))
}

// TestEvents: now, then whatever changes, as GET has it, within a second; and the end.
func TestEvents(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Queued, 1)
		want := []string{s.body()}
		stream := s.open()
		s.meanwhile(func() {
			time.Sleep(40 * time.Second)
			s.shelf.stay() // a lease: nothing to see
			time.Sleep(5 * time.Second)
			s.shelf.move(gateway.Sending, 3)
			want = append(want, s.body())
			time.Sleep(5 * time.Second)
			s.shelf.move(gateway.Pending, 4) // two at once are one
			s.shelf.move(gateway.Refunded, 5)
			want = append(want, s.body())
			time.Sleep(10 * time.Second)
			s.shelf.move(gateway.Credited, 6)
			want = append(want, s.body())
		})
		all, ended := stream.rest()
		got := shown(all)
		if !slices.Equal(ids(all), []string{"1", "3", "5", "6"}) {
			t.Fatalf("told are %v", all)
		}
		for i, at := range []time.Duration{0, 45 * time.Second, 50 * time.Second, 60 * time.Second} {
			if got[i].data != want[i] || got[i].after < at || got[i].after > at+time.Second+time.Millisecond {
				t.Errorf("after %v: %s\nwant after %v: %s", got[i].after, got[i].data, at, want[i])
			}
		}
		if ended > 62*time.Second {
			t.Errorf("it ends after %v", ended)
		}
		// Whoever comes back needn't hurry after the last event, and shouldn't all come at once before it.
		if first, _ := strconv.Atoi(all[0].retry); first < 2000 || first > 5000 || all[len(all)-2].retry != "900000" {
			t.Errorf("clients are to come back after %s ms, and after the end %s", all[0].retry, all[len(all)-2].retry)
		}
	})
}

// TestPings: every 15 seconds, for 15 minutes at most.
func TestPings(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		all, ended := s.open().rest()
		pings := 0
		for _, e := range all {
			if e.event == "ping" {
				if pings++; e.after != time.Duration(pings)*15*time.Second || e.data != "{}" || e.id != "" {
					t.Errorf("ping %d after %v: %+v", pings, e.after, e)
				}
			}
		}
		if pings < 59 || ended != 15*time.Minute || !slices.Equal(ids(all), []string{"1"}) {
			t.Errorf("%d pings until %v, refunds %v", pings, ended, ids(all))
		}
	})
}

// TestStreamOfAToken ends with the token, at the latest; and with the session at the next ping, without another word of
// the refund.
func TestStreamOfAToken(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		s.keeper.expires = time.Now().Add(100 * time.Second)
		if _, ended := s.open().rest(); ended != 100*time.Second {
			t.Errorf("it ends after %v", ended)
		}
		s.keeper.expires = time.Now().Add(time.Hour)
		for _, moves := range []bool{false, true} {
			stream := s.open("Last-Event-ID", "1")
			s.meanwhile(func() {
				time.Sleep(20 * time.Second)
				s.keeper.refuse(bank.ErrUnauthenticated)
				if moves {
					s.shelf.move(gateway.Refunded, 2)
				}
			})
			all, ended := stream.rest()
			if ended > 30*time.Second || moves && ended > 22*time.Second || len(shown(all)) != 0 {
				t.Errorf("moves %t: it ends after %v: %v", moves, ended, all)
			}
			s.keeper.refuse(nil)
		}
	})
}

// TestStreamAtTheCounter ends with the assisted session, of which it is no use: nobody touches anything while it is open.
func TestStreamAtTheCounter(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		stream := s.openAs("t01", "Assisted-Session", "visit")
		s.meanwhile(func() {
			time.Sleep(5 * time.Minute)
			s.shelf.move(gateway.Refunded, 2)
			time.Sleep(5*time.Minute - time.Second)
			s.counter.mu.Lock()
			s.counter.ended = true
			s.counter.mu.Unlock()
		})
		all, ended := stream.rest()
		if !slices.Equal(ids(all), []string{"1", "2"}) || ended != 10*time.Minute || s.counter.uses != 1 {
			t.Errorf("it ends after %v and %d uses: %v", ended, s.counter.uses, ids(all))
		}
	})
}

// TestStreamWhenNobodyCanBeAsked for who may read goes on for a minute, in silence but for pings.
func TestStreamWhenNobodyCanBeAsked(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		for away, goesOn := range map[time.Duration]bool{40 * time.Second: true, 5 * time.Minute: false} {
			version := s.shelf.refund.Version
			stream := s.open("Last-Event-ID", strconv.FormatInt(version, 10))
			s.meanwhile(func() {
				time.Sleep(time.Second)
				s.keeper.refuse(fmt.Errorf("%w: issuer", bank.ErrUnavailable))
				s.shelf.move(gateway.InDoubt, version+1)
				time.Sleep(away)
				s.keeper.refuse(nil)
			})
			all, ended := stream.rest()
			if goesOn != (len(shown(all)) == 1) || goesOn != (ended == 15*time.Minute) || !goesOn && ended > 80*time.Second {
				t.Errorf("away for %v: it ends after %v: %v", away, ended, all)
			}
		}
	})
}

// TestResume: what was seen isn't told again, and what can't have been seen does no harm.
func TestResume(t *testing.T) {
	for _, state := range []gateway.State{gateway.Pending, gateway.Credited} {
		for header, seen := range map[string]bool{
			"7": true, "07": true, "6": false, "1": false, "0": false, "": false,
			"8": false, "9223372036854775807": false, "9223372036854775808": false, "-1": false, "-7": false,
			"٧": false, "7.0": false, "x": false, "7 ": true, strings.Repeat("9", 4000): false, "2900000015": false,
		} {
			follow(t, 0, func(s *streams) {
				s.shelf.move(gateway.Queued, 1)
				s.shelf.move(state, 7)
				stream := s.open("Last-Event-ID", header)
				all, ended := stream.rest()
				if told := len(ids(all)) == 1; told == seen || !told && len(ids(all)) > 0 {
					t.Errorf("%s, %.30q: told are %v", state, header, ids(all))
				}
				if state.Final() != (ended < time.Second) {
					t.Errorf("%s, %.30q: it ends after %v", state, header, ended)
				}
			})
		}
	}
}

// TestStreamOfAPreview: the preview, then the refund that it becomes; or the end, once it is none any more.
func TestStreamOfAPreview(t *testing.T) {
	begin := func(s *streams) *events {
		s.drawer.mu.Lock()
		r := s.shelf.refund
		s.drawer.preview = bank.Preview{
			ID: r.ID, Origin: r.Origin, Payment: r.Payment, To: r.To, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(bank.PreviewLife),
			Promised: r.Promised,
		}
		s.drawer.mu.Unlock()
		return s.open()
	}
	t.Run("confirmed", func(t *testing.T) {
		follow(t, 0, func(s *streams) {
			stream := begin(s)
			want := s.body()
			s.meanwhile(func() {
				time.Sleep(100 * time.Second)
				s.shelf.move(gateway.Queued, 1)
				time.Sleep(10 * time.Second)
				s.shelf.move(gateway.Cancelled, 2)
			})
			all, ended := stream.rest()
			if !slices.Equal(ids(all), []string{"0", "1", "2"}) || shown(all)[0].data != want || ended > 112*time.Second {
				t.Errorf("it ends after %v: %v", ended, all)
			}
		})
	})
	t.Run("expired", func(t *testing.T) {
		follow(t, 0, func(s *streams) {
			all, ended := begin(s).rest()
			if !slices.Equal(ids(all), []string{"0"}) || ended < bank.PreviewLife || ended > bank.PreviewLife+15*time.Second {
				t.Errorf("it ends after %v: %v", ended, ids(all))
			}
			if again := s.ask("/events", "p01"); again.StatusCode != http.StatusGone {
				t.Errorf("and then it is %d", again.StatusCode)
			}
		})
	})
	t.Run("withdrawn", func(t *testing.T) {
		follow(t, 0, func(s *streams) {
			stream := begin(s)
			s.drawer.mu.Lock()
			s.drawer.preview = bank.Preview{}
			s.drawer.mu.Unlock()
			if _, ended := stream.rest(); ended > 15*time.Second {
				t.Errorf("it ends after %v", ended)
			}
		})
	})
	t.Run("seen", func(t *testing.T) {
		follow(t, 0, func(s *streams) {
			begin(s).Body.Close()
			if all, _ := s.open("Last-Event-ID", "0").rest(); len(ids(all)) != 0 {
				t.Errorf("told again are %v", ids(all))
			}
		})
	})
}

// TestStreamWithoutAStore: a store that is away for a while is noticed by nobody; after a minute the client is sent to
// look elsewhere. The pings go on meanwhile.
func TestStreamWithoutAStore(t *testing.T) {
	down := errors.New("connection refused")
	for name, reads := range map[string]error{"altogether": down, "for the watcher alone": nil} {
		for away, goesOn := range map[time.Duration]bool{40 * time.Second: true, 10 * time.Minute: false} {
			follow(t, 0, func(s *streams) {
				s.shelf.move(gateway.Pending, 1)
				stream := s.open()
				s.meanwhile(func() {
					time.Sleep(500 * time.Millisecond)
					s.shelf.fail(reads, down)
					s.shelf.move(gateway.Refunded, 2)
					time.Sleep(away)
					s.shelf.fail(nil, nil)
				})
				all, ended := stream.rest()
				if goesOn != (len(ids(all)) == 2) || goesOn != (ended == 15*time.Minute) || !goesOn && ended > 90*time.Second {
					t.Errorf("%s for %v: it ends after %v: %v", name, away, ended, ids(all))
				}
				if len(all) < 2+3 {
					t.Errorf("%s for %v: no pings meanwhile: %v", name, away, all)
				}
			})
		}
	}
	// Only the look fails, as when a row can't be opened.
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		stream := s.open()
		s.shelf.fail(down, nil)
		s.shelf.move(gateway.Refunded, 2)
		s.shelf.mu.Lock()
		s.shelf.latestErr = nil
		s.shelf.mu.Unlock()
		if all, ended := stream.rest(); len(ids(all)) != 1 || ended > 90*time.Second {
			t.Errorf("it ends after %v: %v", ended, ids(all))
		}
	})
}

// TestNoMoreStreams: a customer's ninth is rate_limited, and one too many for the gateway is for another; both are told
// when to come back.
func TestNoMoreStreams(t *testing.T) {
	follow(t, 8, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		var open []*events
		for range 8 {
			open = append(open, s.open())
		}
		wantRefusal(t, s.ask("/events", "p01"), 429, "rate_limited", 30)
		wantRefusal(t, s.ask("/events", "p02"), 404, "not_found", 0) // which comes first
		open[0].Body.Close()
		synctest.Wait()
		open[0] = s.open()
		s.shelf.mu.Lock()
		s.shelf.refund.Origin.Customer = "p02"
		s.shelf.mu.Unlock()
		wantRefusal(t, s.ask("/events", "p02"), 503, "try_again", 2)
		for _, e := range open {
			e.Body.Close()
		}
		synctest.Wait()
		if n := s.watcher.Watches(); n != 0 {
			t.Errorf("%d watches of readers who are gone", n)
		}
	})
}

func wantRefusal(t *testing.T, got *events, status int, code string, retry int) {
	t.Helper()
	defer got.Body.Close()
	var p api.Problem
	if err := json.NewDecoder(got.Body).Decode(&p); err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != status || p.Code != code || p.RetryAfter != retry || got.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("refused with %d %+v, want %d %s", got.StatusCode, p, status, code)
	}
}

// TestReaderWhoReadsNothing holds nothing up, and loses the stream.
func TestReaderWhoReadsNothing(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		conn, err := s.pipes.Dial(s.t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /v1/refunds/%s/events HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer p01\r\n\r\n", s.shelf.refund.ID)
		synctest.Wait()
		other := s.open()
		s.shelf.move(gateway.Credited, 2)
		if all, ended := other.rest(); len(ids(all)) != 2 || ended > 2*time.Second {
			t.Errorf("the other's ends after %v: %v", ended, ids(all))
		}
		time.Sleep(11 * time.Second)
		if n := s.watcher.Watches(); n != 0 {
			t.Errorf("%d watches are held by somebody who reads nothing", n)
		}
	})
}

// TestStreamsEndWithTheServer, at once.
func TestStreamsEndWithTheServer(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		stream := s.open()
		s.meanwhile(func() {
			time.Sleep(20 * time.Second)
			began := time.Now()
			if err := s.server.Shutdown(s.t.Context()); err != nil || time.Since(began) > time.Second {
				t.Errorf("the stop took %v: %v", time.Since(began), err)
			}
		})
		if all, ended := stream.rest(); ended != 20*time.Second || len(ids(all)) != 1 {
			t.Errorf("it ends after %v: %v", ended, ids(all))
		}
	})
}

// TestStreamsAreCounted as answered when they begin: what comes after isn't a slow answer.
func TestStreamsAreCounted(t *testing.T) {
	follow(t, 0, func(s *streams) {
		s.shelf.move(gateway.Pending, 1)
		stream := s.open()
		stream.next()
		stream.next()
		synctest.Wait()
		s.metrics.mu.Lock()
		counted := slices.Clone(s.metrics.told)
		s.metrics.mu.Unlock()
		if !slices.Equal(counted, []string{"GET /v1/refunds/:refund_id/events 200 "}) {
			t.Errorf("counted %q", counted)
		}
		stream.rest()
		if logged := s.log.String(); !strings.Contains(logged, "took=0s") || !strings.Contains(logged, "streamed=15m0s") ||
			strings.Contains(logged, "level=WARN") || strings.Contains(logged, "level=ERROR") {
			t.Errorf("logged is\n%s", logged)
		}
		if n := len(s.metrics.told); n != 1 {
			t.Errorf("it is counted %d times", n)
		}
	})
}
