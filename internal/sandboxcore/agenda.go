package sandboxcore

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// An agenda is things to do, each at its time. Many may add to it; one goroutine
// takes what is due.
type agenda[T any] struct {
	mu    sync.Mutex
	items appointments[T]
	wake  chan struct{} // holds one; told that the next appointment may be another
}

func (a *agenda[T]) init() { a.wake = make(chan struct{}, 1) }

func (a *agenda[T]) add(at time.Time, what T) {
	a.mu.Lock()
	heap.Push(&a.items, appointment[T]{at, what})
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *agenda[T]) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.items = nil
}

// due waits until something is due and returns all that is, earliest first; nil
// when ctx has ended.
func (a *agenda[T]) due(ctx context.Context) []T {
	for {
		ready, next := a.take(time.Now())
		if len(ready) > 0 {
			return ready
		}
		var alarm <-chan time.Time
		if !next.IsZero() {
			alarm = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-alarm:
		}
	}
}

func (a *agenda[T]) take(now time.Time) (ready []T, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.items) > 0 {
		if first := a.items[0].at; first.After(now) {
			return ready, first
		}
		ready = append(ready, heap.Pop(&a.items).(appointment[T]).what)
	}
	return ready, time.Time{}
}

type appointment[T any] struct {
	at   time.Time
	what T
}

// appointments implements heap.Interface.
type appointments[T any] []appointment[T]

func (s appointments[T]) Len() int           { return len(s) }
func (s appointments[T]) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s appointments[T]) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *appointments[T]) Push(x any)        { *s = append(*s, x.(appointment[T])) }
func (s *appointments[T]) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	*s = (*s)[:last]
	return x
}
