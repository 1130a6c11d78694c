package bank

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Steps says how far refunds have come.
type Steps interface {
	// Latest returns the version of each refund's latest event, by the refund's id: what a customer sees of a refund
	// changes with an event and with nothing else. It asks once for all of them. Ids that are no refund's are absent.
	Latest(ctx context.Context, ids []string) (map[string]int64, error)
}

const (
	// WatchEvery is how often a gateway asks how far the refunds have come that are watched there.
	WatchEvery = time.Second
	// WatchPatience is how long the store may be away before those who watch are sent to look elsewhere.
	WatchPatience = time.Minute

	watchesMax  = 1024            // at a gateway that sets no number of its own
	watchesEach = 8               // of one customer's: a few devices, with a few windows each
	asksEach    = 2 * time.Second // what one question may take
	asksSeldom  = 15 * time.Second
	looksMax    = 4 // at once: of a crowd whose refunds all move on together, the rest wait their turn
)

// ErrWatches: the customer watches as much as one may at this gateway.
var ErrWatches = errors.New("watching too much")

var (
	errWatchesFull = fmt.Errorf("%w: this gateway is watched by as many as it can take", ErrUnavailable)
	errWatchesOver = fmt.Errorf("%w: this gateway is stopping", ErrUnavailable)
)

// Watcher tells whoever watches a refund when it has moved on. However many watch, it puts one question to the store
// every WatchEvery, and none while nobody does. It is safe for concurrent use.
type Watcher struct {
	steps Steps
	most  int
	log   *slog.Logger
	looks chan struct{} // holds a value for each look under way

	mu        sync.Mutex
	watches   map[*Watch]struct{}
	customers map[string]int // how many watches each has
	quit      func()         // ends ask, which runs while there are any
	closed    bool
}

// NewWatcher returns a Watcher for at most so many watches; 0: 1024. It begins nothing before somebody watches.
func NewWatcher(steps Steps, most int, log *slog.Logger) *Watcher {
	return &Watcher{
		steps: steps, most: cmp.Or(most, watchesMax), log: log,
		looks: make(chan struct{}, looksMax), watches: map[*Watch]struct{}{}, customers: map[string]int{},
	}
}

// Watches is how many there are.
func (w *Watcher) Watches() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watches)
}

// Close ends all watches, and lets none begin.
func (w *Watcher) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.endAll()
}

// endAll is called with mu held.
func (w *Watcher) endAll() {
	for watch := range w.watches {
		w.end(watch)
	}
}

// end is called with mu held.
func (w *Watcher) end(watch *Watch) {
	if _, there := w.watches[watch]; !there {
		return
	}
	delete(w.watches, watch)
	if w.customers[watch.caller.Customer()]--; w.customers[watch.caller.Customer()] == 0 {
		delete(w.customers, watch.caller.Customer())
	}
	close(watch.over)
	if len(w.watches) == 0 {
		w.quit()
	}
}

// Watch is one customer's watch over one refund, or over a preview until it is one. It belongs to one goroutine.
type Watch struct {
	path   *Path
	caller Caller
	id     string
	moved  chan struct{}
	over   chan struct{}

	seen int64 // guarded by the watcher's mu
}

// Watch begins to watch the caller's refund or preview of this id, and returns what is to be seen of it now. It returns
// ErrWatches when the caller watches too much already. Whoever begins a watch must Stop it.
func (p *Path) Watch(ctx context.Context, c Caller, id string) (*Watch, View, error) {
	view, err := p.View(ctx, c, id) // before it takes a place: nobody watches what isn't theirs
	if err != nil {
		return nil, View{}, err
	}
	watch := &Watch{
		path: p, caller: c, id: id, seen: view.Version(), moved: make(chan struct{}, 1), over: make(chan struct{}),
	}
	if err := p.Watcher.add(watch); err != nil { //nolint:contextcheck // the question is put for everybody who watches
		return nil, View{}, err
	}
	return watch, view, nil
}

func (w *Watcher) add(watch *Watch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return errWatchesOver
	case w.customers[watch.caller.Customer()] >= watchesEach:
		return ErrWatches
	case len(w.watches) >= w.most:
		return errWatchesFull
	}
	if len(w.watches) == 0 {
		var ctx context.Context
		ctx, w.quit = context.WithCancel(context.Background())
		go w.ask(ctx)
	}
	w.watches[watch] = struct{}{}
	w.customers[watch.caller.Customer()]++
	return nil
}

// Stop ends the watch.
func (w *Watch) Stop() {
	w.path.Watcher.mu.Lock()
	defer w.path.Watcher.mu.Unlock()
	w.path.Watcher.end(w)
}

// Moved receives when there is more to be seen than was seen last, again and again until it is looked at.
func (w *Watch) Moved() <-chan struct{} { return w.moved }

// Over is closed when the watch has ended: by Stop, because the gateway stops, or because the store has been away for
// WatchPatience. Another gateway may know more.
func (w *Watch) Over() <-chan struct{} { return w.over }

// Look returns what is to be seen now.
func (w *Watch) Look(ctx context.Context) (View, error) {
	watcher := w.path.Watcher
	select {
	case watcher.looks <- struct{}{}:
		defer func() { <-watcher.looks }()
	case <-w.over:
		return View{}, errWatchesOver
	case <-ctx.Done():
		return View{}, unavailable(ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, asksEach)
	defer cancel()
	view, err := w.path.View(ctx, w.caller, w.id)
	if err != nil {
		return View{}, err
	}
	watcher.mu.Lock()
	defer watcher.mu.Unlock()
	w.seen = max(w.seen, view.Version())
	return view, nil
}

// ask puts the question again and again, until ctx is done: there is nobody left to be told the answer.
func (w *Watcher) ask(ctx context.Context) {
	var away time.Time // since when the store has been; zero: it is there
	wait := WatchEvery
	for {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		latest, err := w.latest(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if !away.IsZero() {
				w.log.InfoContext(ctx, "refunds are watched again", "away", time.Since(away))
			}
			away, wait = time.Time{}, WatchEvery
			w.tell(latest)
		case away.IsZero():
			w.log.WarnContext(ctx, "refunds can't be watched", "err", err)
			away = time.Now()
		case time.Since(away) >= WatchPatience:
			w.mu.Lock()
			w.endAll()
			w.mu.Unlock()
		default:
			wait = min(2*wait, asksSeldom)
		}
	}
}

func (w *Watcher) latest(ctx context.Context) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, asksEach)
	defer cancel()
	return w.steps.Latest(ctx, w.watched())
}

// watched are the ids of what is watched, each once.
func (w *Watcher) watched() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids, known := make([]string, 0, len(w.watches)), make(map[string]bool, len(w.watches))
	for watch := range w.watches {
		if !known[watch.id] {
			known[watch.id] = true
			ids = append(ids, watch.id)
		}
	}
	return ids
}

func (w *Watcher) tell(latest map[string]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for watch := range w.watches {
		if latest[watch.id] > watch.seen {
			select {
			case watch.moved <- struct{}{}:
			default: // it was told before, and hasn't looked yet
			}
		}
	}
}
