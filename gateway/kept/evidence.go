package kept

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/otp"
)

const (
	smsRecipient     = "sms.recipient"
	smsText          = "sms.text"
	exchangeExchange = "exchanges.exchange"
)

// SMS is the sealed columns of a message on record.
type SMS struct {
	Recipient      []byte
	RecipientIndex []byte // blind; not needed to open
	Text           []byte
}

// SealSMS makes the columns of a message, which open for that record alone.
func (s Sealer) SealSMS(m otp.Sent) SMS {
	return SMS{
		Recipient:      s.seal(m.ID, smsRecipient, m.To.E164()),
		RecipientIndex: s.sealer.BlindIndex(smsRecipient, m.To.E164()),
		Text:           s.seal(m.ID, smsText, m.Text),
	}
}

// OpenSMS puts what SealSMS made into a message, whose ID is there already.
func (s Sealer) OpenSMS(m *otp.Sent, sealed SMS) error {
	to, err := s.sealer.Open(sealed.Recipient, place(m.ID, smsRecipient))
	if err != nil {
		return fmt.Errorf("%s of %s: %w", smsRecipient, m.ID, err)
	}
	text, err := s.sealer.Open(sealed.Text, place(m.ID, smsText))
	if err != nil {
		return fmt.Errorf("%s of %s: %w", smsText, m.ID, err)
	}
	m.Text = string(text)
	m.To, err = saudi.ParseMobile(string(to))
	return err
}

// SealExchange seals an exchange, for that move of that refund alone.
func (s Sealer) SealExchange(refundID string, version int64, x gateway.Exchange) ([]byte, error) {
	whole, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	return s.sealer.Seal(whole, moveOf(refundID, version)), nil
}

// OpenExchange opens what SealExchange made.
func (s Sealer) OpenExchange(refundID string, version int64, sealed []byte) (x gateway.Exchange, err error) {
	whole, err := s.sealer.Open(sealed, moveOf(refundID, version))
	if err != nil {
		return x, fmt.Errorf("%s of refund %s, version %d: %w", exchangeExchange, refundID, version, err)
	}
	return x, json.Unmarshal(whole, &x)
}

func moveOf(refundID string, version int64) []byte {
	return place(refundID+"\x00"+strconv.FormatInt(version, 10), exchangeExchange)
}
