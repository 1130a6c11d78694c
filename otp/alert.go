package otp

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/istirdad/istirdad/internal/saudi"
)

// Alert warns the customer that one more wrong code closes the door until a
// branch opens it (the payer is to be alerted before a lasting block: RTS (EU)
// 2018/389, article 4). It is for whoever got a WrongError that is
// AboutToClose, and goes on when the caller's context ends: a guesser who hangs
// up must not spare the customer the warning.
//
// One closing is one message: its id is made of the customer and of the last
// block before the closing, so the provider delivers a repetition once. A
// customer who is closed by now is warned too, since whoever guessed two at once
// may not be them; one whose failures were cleared is not. It counts against no
// SMS budget: the failures that lead to it take days.
//
// Alert is best effort: it tries once, within the policy's SendWithin. Errors:
// ErrUnavailable, ErrSMS; silence of the sender is none. What becomes of it does
// not change what the customer's attempt is answered. Of the message its Kind is
// filled in.
func (s *Service) Alert(ctx context.Context, customer string, to saudi.Mobile, m Message) error {
	if customer == "" || to.IsZero() {
		return errors.New("otp: an alert needs a customer and a mobile")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.policy.SendWithin)
	defer cancel()
	record, err := s.ledger.Read(ctx, customer)
	if err != nil {
		return unavailable(err)
	}
	if record.Failures < s.policy.CloseAt-1 {
		return nil
	}
	m.Kind = AboutToBeBlocked
	err = s.sender.Send(ctx, s.pepper.alertID(customer, record.Standing), to, m)
	if errors.Is(err, ErrNotSent) {
		return fmt.Errorf("%w: %w", ErrSMS, err)
	}
	return nil
}

// alertPrefix keeps an alert from being taken for something of a challenge's.
const alertPrefix = "alert"

// alertID tells one row of failures from another by when its last block ended:
// every policy has blocks before the closing, and no failure after them moves
// that time. It reads as nobody's.
func (p pepper) alertID(customer string, s Standing) string {
	m := p.mac("alert", customer, strconv.FormatInt(s.BlockedUntil.UnixMilli(), 10))
	return fmt.Sprintf(alertPrefix+":%x", m[:16])
}
