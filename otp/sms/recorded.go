package sms

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

// recordWithin is how long a record may take, beside the route's time and not out of it: a provider that answers late
// did answer. A request bears both, 3.5 s of its 30, and nobody waits for longer than that for a code.
const recordWithin = 500 * time.Millisecond

// Recorded is a route of whose messages there is a record: what was said, to
// whom, when, and what became of it, with the code blanked before anybody but
// the route has seen the words. A message whose record fails was sent all the
// same, and the log says so. Send may last half a second longer than its context.
//
// The record is made when the outcome is known. A process that dies in between
// leaves none; the customer whose code that was never heard of its challenge,
// and a completion notice is sent again.
type Recorded struct {
	Route   otp.Sender
	Name    string // of the route
	Records otp.Records
	Log     *slog.Logger
}

var _ otp.Sender = Recorded{}

// Send implements otp.Sender.
func (r Recorded) Send(ctx context.Context, id string, to saudi.Mobile, m otp.Message) error {
	at := time.Now()
	err := r.Route.Send(ctx, id, to, m)
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	failed := r.Records.RecordSMS(recording, otp.Sent{
		ID: uuid.Must(uuid.NewV7()).String(), Message: id, About: otp.About(id), At: at, Kind: m.Kind, To: to,
		Text: Render(m.Blanked()), Route: r.Name, Outcome: outcomeOf(err),
	})
	if failed != nil {
		r.Log.ErrorContext(ctx, "an SMS isn't on record", "kind", string(m.Kind), "route", r.Name, "err", failed)
	}
	return err
}

func outcomeOf(err error) otp.SendOutcome {
	switch {
	case err == nil:
		return otp.SendTaken
	case errors.Is(err, otp.ErrNotSent):
		return otp.SendNotSent
	default:
		return otp.SendUnknown
	}
}
