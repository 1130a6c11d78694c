package bank

import (
	"context"
	"errors"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Preview is what would be given back, and to which account, for the customer to look at before the confirm. It is
// kept sealed; a confirm takes amount, account and request from it and from nowhere else.
type Preview struct {
	ID        string // UUIDv7; becomes the refund's id
	Origin    gateway.Origin
	Payment   gateway.Payment
	To        saudi.IBAN
	CreatedAt time.Time
	ExpiresAt time.Time
	Promised  saudi.Date
	NeedsCode bool
	Approval  bool // a second person at the bank will have to agree
	Warnings  []Warning

	MobileChangedAt time.Time // the customer's, as the bank had it then; zero: not lately, or not on record
	Proof           string    // the challenge whose code let the customer in; empty: there was none, or it isn't known
}

// Lifetimes of what may be forgotten (api.md).
const (
	PreviewLife   = 5 * time.Minute
	PreviewMemory = time.Hour // how long an expired preview still answers "expired" rather than "not found"
	ProofIdle     = 5 * time.Minute
	ProofLife     = 15 * time.Minute
	KeyInProgress = 30 * time.Second // how long a preview that was begun and never finished holds its key
)

// Sessions keeps what may vanish: proofs, previews and the keys of previews. Losing any of it only ever takes away the
// ability to go on. Values are sealed; one that doesn't open counts as absent. Any error other than the named ones
// means that nothing was decided, and the caller must refuse.
type Sessions interface {
	// Prove stores a proof, given by the code of the challenge, and returns when it lapses if it isn't used.
	Prove(ctx context.Context, h Holder, challenge string) (expires time.Time, err error)
	// UseProof returns ErrNoProof when there is none, and renews one that there is: by ProofIdle, within ProofLife. The
	// challenge is empty of a proof that a release stored which didn't keep it.
	UseProof(ctx context.Context, h Holder) (challenge string, err error)

	// Begin claims a key for a preview with the given body. It returns ErrKeyReused for another body, ErrKeyBusy
	// while the first is still running, and the id of the preview that the key made, which may have expired since.
	// An empty id says that the key is the caller's now, until KeyInProgress has passed.
	Begin(ctx context.Context, k Key) (previewID string, err error)
	// Abandon frees a key whose preview came to nothing: a refused request doesn't burn its key.
	Abandon(ctx context.Context, k Key) error
	// KeepPreview stores the preview and binds the key to it, in one step. A key that meanwhile went to somebody else,
	// because this preview took longer than KeyInProgress, is ErrKeyReused or ErrKeyBusy.
	KeepPreview(ctx context.Context, k Key, p Preview) error
	// Preview returns a preview of the holder, also an expired one for PreviewMemory. ErrNotFound otherwise.
	Preview(ctx context.Context, h Holder, id string) (Preview, error)
	// DropPreview deletes a preview and frees its key. It is no error when there is none.
	DropPreview(ctx context.Context, h Holder, id string) error

	// Drop deletes the holder's proof and previews and frees their keys. A preview that is being kept meanwhile may stay.
	Drop(ctx context.Context, h Holder) error
}

// Key is an idempotency key of POST /v1/refunds, scoped to client, customer and session.
type Key struct {
	Holder Holder
	Client string
	Value  string
	Body   [32]byte // digest of the request's meaning
}

// What Sessions and the path say.
var (
	ErrNoProof        = errors.New("no proof for this session")
	ErrKeyReused      = errors.New("idempotency key used with another body")
	ErrKeyBusy        = errors.New("idempotency key in progress")
	ErrPreviewExpired = errors.New("preview expired")
	// ErrCursor: the cursor of a page was never given out.
	ErrCursor = errors.New("unknown cursor")
)
