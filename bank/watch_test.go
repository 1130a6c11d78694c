package bank_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

// steps is a book that is asked how far refunds have come.
type steps struct {
	mu     sync.Mutex
	latest map[string]int64
	err    error
	asked  [][]string // the ids of each question
	at     []time.Time
}

func (s *steps) Latest(ctx context.Context, ids []string) (map[string]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(ids)
	s.asked, s.at = append(s.asked, ids), append(s.at, time.Now())
	if _, limited := ctx.Deadline(); !limited {
		return nil, errors.New("it may wait for ever")
	}
	latest := map[string]int64{}
	for _, id := range ids {
		if version, known := s.latest[id]; known {
			latest[id] = version
		}
	}
	return latest, s.err
}

func (s *steps) set(id string, version int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest[id] = version
}

func (s *steps) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *steps) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// watched is a world in which customers may watch.
func watched(t *testing.T, most int) (*world, *steps) {
	t.Helper()
	w, s := newWorld(t), &steps{latest: map[string]int64{}}
	w.Watcher = bank.NewWatcher(s, most, slog.New(slog.DiscardHandler))
	return w, s
}

func (w *world) watch(id string) *bank.Watch {
	w.t.Helper()
	watch, _, err := w.Watch(w.t.Context(), caller, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return watch
}

// moves reports whether the watch is told within a while.
func moves(watch *bank.Watch, within time.Duration) bool {
	select {
	case <-watch.Moved():
		return true
	case <-time.After(within):
		return false
	}
}

func over(watch *bank.Watch) bool {
	select {
	case <-watch.Over():
		return true
	default:
		return false
	}
}

// TestWatch: the preview, the refund that it becomes, and each step of it; and nothing that was seen already.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := watched(t, 0)
		w.paid("rq-1", 100_00)
		preview := w.preview("rq-1")
		watch, view, err := w.Watch(t.Context(), caller, preview.ID)
		if err != nil || view.Preview == nil || view.Version() != 0 || view.Final() {
			t.Fatalf("at first there is %+v, %v", view, err)
		}
		defer watch.Stop()
		if moves(watch, time.Minute) {
			t.Error("nothing has happened")
		}
		r, _, err := w.Confirm(t.Context(), caller, preview.ID, "", "")
		if err != nil {
			t.Fatal(err)
		}
		s.set(r.ID, 1)
		for range 2 { // until it is looked at
			if !moves(watch, bank.WatchEvery+time.Millisecond) {
				t.Fatal("a confirm isn't told")
			}
		}
		if view, err = watch.Look(t.Context()); err != nil || view.Refund == nil || view.Version() != 1 || view.Final() {
			t.Fatalf("then there is %+v, %v", view, err)
		}
		moves(watch, time.Millisecond) // told before it was looked at
		if moves(watch, time.Minute) {
			t.Error("what was seen is told again")
		}
		if err := w.Cancel(t.Context(), caller, r.ID); err != nil {
			t.Fatal(err)
		}
		s.set(r.ID, 2)
		if !moves(watch, bank.WatchEvery+time.Millisecond) {
			t.Fatal("the end isn't told")
		}
		if view, err = watch.Look(t.Context()); err != nil || view.Version() != 2 || !view.Final() {
			t.Fatalf("at last there is %+v, %v", view, err)
		}
	})
}

// TestWatchAsksOnce however many watch, every second, and not at all while nobody does.
func TestWatchAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := watched(t, 0)
		one, two := w.refund("rq-1").ID, w.refund("rq-2").ID
		time.Sleep(time.Hour)
		if n := s.questions(); n != 0 {
			t.Errorf("%d questions although nobody watches", n)
		}
		var all []*bank.Watch
		for range 3 {
			all = append(all, w.watch(one), w.watch(two))
		}
		began := time.Now()
		time.Sleep(10*time.Second + time.Millisecond)
		want := []string{one, two}
		slices.Sort(want)
		s.mu.Lock()
		for i, ids := range s.asked {
			if !slices.Equal(ids, want) || s.at[i].Sub(began) != time.Duration(i+1)*time.Second {
				t.Errorf("after %v it is asked for %v", s.at[i].Sub(began), ids)
			}
		}
		s.mu.Unlock()
		if n := s.questions(); n != 10 || w.Watcher.Watches() != 6 {
			t.Errorf("%d questions for %d watches", n, w.Watcher.Watches())
		}
		for _, watch := range all {
			watch.Stop()
			watch.Stop() // again does no harm
		}
		time.Sleep(time.Hour)
		if n := s.questions(); n != 10 || w.Watcher.Watches() != 0 {
			t.Errorf("%d questions, %d watches when all have gone", n, w.Watcher.Watches())
		}
		w.watch(one).Stop() // and it begins anew
		last := w.watch(two)
		time.Sleep(time.Second + time.Millisecond)
		if n := s.questions(); n != 11 {
			t.Errorf("%d questions when somebody came back", n)
		}
		last.Stop()
	})
}

// TestWatchBounds: a customer has 8, a gateway as many as it is given, and whoever goes makes room.
func TestWatchBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := watched(t, 10)
		id := w.refund("rq-1").ID
		var all []*bank.Watch
		for range 8 {
			all = append(all, w.watch(id))
		}
		_, _, err := w.Watch(t.Context(), caller, id)
		w.wantErr(err, bank.ErrWatches)
		all[0].Stop()
		all[0] = w.watch(id)

		w.book.mu.Lock()
		theirs := w.book.refunds[0]
		theirs.ID, theirs.Origin.Customer = "r-2", other.Subject
		w.book.refunds = append(w.book.refunds, theirs)
		w.book.events = append(w.book.events, gateway.Event{RefundID: "r-2", Version: 1, To: gateway.Queued})
		w.book.mu.Unlock()
		for range 2 {
			watch, _, err := w.Watch(t.Context(), other, "r-2")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, watch)
		}
		_, _, err = w.Watch(t.Context(), other, "r-2")
		w.wantErr(err, bank.ErrUnavailable)
		if errors.Is(err, bank.ErrWatches) {
			t.Error("the full gateway blames the customer")
		}
		// Whose it isn't, and what there isn't, takes no place and says so first.
		_, _, err = w.Watch(t.Context(), other, id)
		w.wantErr(err, bank.ErrNotFound)

		w.Watcher.Close()
		w.Watcher.Close()
		for _, watch := range all {
			if !over(watch) {
				t.Error("a watch outlives its watcher")
			}
		}
		_, _, err = w.Watch(t.Context(), caller, id)
		w.wantErr(err, bank.ErrUnavailable)
		if n := w.Watcher.Watches(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

// TestWatchWhileTheStoreIsAway: it is asked more and more seldom; a minute ends nothing, more than that ends all.
func TestWatchWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := watched(t, 0)
		id := w.refund("rq-1").ID
		watch := w.watch(id)
		defer watch.Stop()
		s.fail(errors.New("connection refused"))
		time.Sleep(50 * time.Second)
		if n := s.questions(); n > 10 {
			t.Errorf("%d questions in 50 s", n)
		}
		s.fail(nil)
		s.set(id, 2)
		if !moves(watch, 20*time.Second) {
			t.Error("it isn't told when the store is back")
		}
		s.fail(errors.New("connection refused"))
		time.Sleep(59 * time.Second)
		if over(watch) {
			t.Error("a minute's patience is less than a minute")
		}
		time.Sleep(20 * time.Second)
		if !over(watch) {
			t.Error("it goes on without a store")
		}
		asked := s.questions()
		time.Sleep(time.Hour)
		if n := s.questions(); n != asked {
			t.Errorf("%d questions for nobody", n-asked)
		}
	})
}

// TestLooksTakeTurns: of a crowd whose refunds all move on together, four look at once.
func TestLooksTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := watched(t, 0)
		var (
			mu        sync.Mutex
			now, most int
		)
		w.book.look = func() func() {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			return func() { mu.Lock(); now--; mu.Unlock() }
		}
		var wg sync.WaitGroup
		moved := map[string]int64{}
		for n := range 40 {
			r := w.refund(fmt.Sprintf("rq-%d", n))
			who := caller
			who.Subject = "c-" + r.ID
			w.book.refunds[len(w.book.refunds)-1].Origin.Customer = who.Subject
			watch, _, err := w.Watch(t.Context(), who, r.ID)
			if err != nil {
				t.Fatal(err)
			}
			moved[r.ID] = 2
			wg.Go(func() {
				defer watch.Stop()
				<-watch.Moved()
				if _, err := watch.Look(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		s.mu.Lock()
		s.latest = moved
		s.mu.Unlock()
		wg.Wait()
		if most != 4 {
			t.Errorf("%d looked at once", most)
		}
	})
}
