package dispatch_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
)

// witness is a queue that notes what each move rests on.
type witness struct {
	dispatch.Queue
	core  *core
	mu    sync.Mutex
	seen  map[*gateway.Exchange]bool
	moves []string
}

func (q *witness) Apply(ctx context.Context, c gateway.Change) error {
	err := q.Queue.Apply(ctx, c)
	event, moved := c.Event()
	x := c.Exchange()
	if err != nil || !moved && x == nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	move := string(event.To)
	switch kind, n, _ := strings.Cut(said(x), " "); {
	case x == nil:
	case q.seen[x], n != strconv.Itoa(len(q.core.about(c.Refund(), kind))):
		move += " on an old " + kind
	default:
		move += " on " + kind
	}
	if x != nil {
		q.seen[x] = true
	}
	q.moves = append(q.moves, move)
	return nil
}

func said(x *gateway.Exchange) string {
	if x == nil {
		return ""
	}
	return x.Call
}

// telling is a script whose every outcome has something signed about it, numbered by its call.
func telling(s script) script {
	return func(kind string, n int) outcome {
		return func(honest func() (dispatch.Answer, error)) (dispatch.Answer, error) {
			answer, err := s(kind, n)(honest)
			answer.Exchange = &gateway.Exchange{Call: kind + " " + strconv.Itoa(n)}
			return answer, err
		}
	}
}

// unheard is an outcome that has its effect and is told to nobody.
func unheard(do func() (dispatch.Answer, error)) (dispatch.Answer, error) {
	_, _ = do()
	return dispatch.Answer{}, errTimeout
}

// TestHeard: a move is recorded with the exchange that it rests on, once; questions that settle nothing leave none.
func TestHeard(t *testing.T) {
	for name, c := range map[string]struct {
		core script
		want []string
	}{
		"as it should be": {func(string, int) outcome { return honest }, []string{"pending on submit", "refunded on status", "credited"}},
		"asked about for long": {func(kind string, n int) outcome {
			if kind == "status" && n < 6 {
				return says(dispatch.CorePending)
			}
			return honest
		}, []string{"pending on submit", "refunded on status", "credited"}},
		"in doubt": {func(kind string, n int) outcome {
			switch {
			case kind == "submit":
				return unheard
			case n < 3:
				return fails(errTimeout)
			}
			return honest
		}, []string{"in_doubt on submit", "refunded on status", "credited"}},
		"sent again": {func(kind string, n int) outcome {
			if kind == "submit" && n == 1 {
				return fails(errTimeout)
			}
			return honest
		}, []string{"in_doubt on submit", "sending on status", "pending on submit", "refunded on status", "credited"}},
		"refused":     {func(string, int) outcome { return fails(&dispatch.Refusal{Code: "fee_consumed"}) }, []string{"rejected on submit"}},
		"handed over": {func(string, int) outcome { return says(dispatch.CoreReturned) }, []string{"in_doubt on submit", "manual"}},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				q := &witness{Queue: w.store, core: w.core, seen: map[*gateway.Exchange]bool{}}
				config := w.config()
				config.Queue = q
				r := w.acceptTo(1, telling(c.core))
				_, stop := w.start(config)
				time.Sleep(10 * time.Minute)
				stop()
				if !slices.Equal(q.moves, c.want) {
					t.Errorf("%s: %q, want %q", w.now(r).State, q.moves, c.want)
				}
			})
		})
	}
}
