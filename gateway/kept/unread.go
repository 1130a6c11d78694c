package kept

import (
	"context"
	"log/slog"
	"time"
)

const (
	// unreadFor is how long it is remembered what couldn't be read. The dispatcher and approvers come upon it again
	// sooner than that, or it has been mended.
	unreadFor = 15 * time.Minute
	// unreadMost is how many are remembered. Without its key a store can read none, and a thousand of them say it.
	unreadMost = 1000
)

// Unread is what a store came upon lately and couldn't read. It is safe for concurrent use.
type Unread struct {
	log    *slog.Logger
	lately *Memory
}

// NewUnread returns one that nothing is in.
func NewUnread(log *slog.Logger) *Unread { return &Unread{log, NewMemory(unreadFor, unreadMost)} }

// Note says, once in a quarter of an hour, that a row of this kind and id can't be read. err has no more of it than where
// it is.
func (u *Unread) Note(ctx context.Context, kind, id string, err error) {
	if u.lately.Note(kind+" "+id, time.Now()) {
		u.log.ErrorContext(ctx, "what is sealed can't be opened", kind, id, "err", err)
	}
}

// Count is how many of them there were in the last quarter of an hour.
func (u *Unread) Count() int { return len(u.lately.IDs(time.Now())) }
