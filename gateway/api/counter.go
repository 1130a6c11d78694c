package api

import (
	"context"
	"net/http"

	"github.com/istirdad/istirdad/bank"
)

// Attended is the customer before a teller.
type Attended struct {
	Name   Text    `json:"name"`
	ID     Party   `json:"id"`
	Mobile *string `json:"mobile" doc:"Masked; null when the bank has none." example:"+9665*****003"`
}

// Outlook is whether one paid request can come back. It has no amounts, dates or persons: the customer hasn't proved yet
// that they are there.
type Outlook struct {
	Service    string  `json:"service" example:"090-003"`
	Name       Text    `json:"name"`
	Refundable bool    `json:"refundable"`
	Reason     *string `json:"reason" doc:"Null when refundable." example:"fee_consumed"`
}

func outlookOf(o bank.Outlook) Outlook {
	reason, _ := reasonOf(o.Reason)
	return Outlook{
		Service: o.Service.Code, Name: Text(o.Service.Name), Refundable: o.Refundable(), Reason: reason,
	}
}

// AssistedSession is a customer at the counter.
type AssistedSession struct {
	AssistedSessionID string           `json:"assisted_session_id" doc:"For the header Assisted-Session."`
	Customer          Attended         `json:"customer"`
	Overview          []Outlook        `json:"overview" nullable:"false"`
	Challenge         Maybe[Challenge] `json:"challenge" doc:"Of the code that the customer types on the keypad; null after an identity check."`
}

func assistedOf(a bank.Assistance) AssistedSession {
	who := profileOf(a.Customer)
	session := AssistedSession{
		AssistedSessionID: a.Session.ID, Customer: Attended{Name: who.Name, ID: who.ID, Mobile: who.Mobile},
		Overview: listOf(a.Overview, "", outlookOf).Items,
	}
	if a.Challenge != nil {
		challenge := challengeOf(*a.Challenge)
		session.Challenge.Value = &challenge
	}
	return session
}

// IdentityCheckInputBody is how a teller made sure of a customer who can't be sent a code. It is a body's part, and by its
// name as closed as one.
type IdentityCheckInputBody struct {
	Method string `json:"method" minLength:"1" maxLength:"64" example:"passport"`
	Note   string `json:"note" minLength:"1" maxLength:"500" doc:"For whoever approves, and for auditors."`
}

type assistInput struct {
	Body struct {
		IDNumber      string                  `json:"id_number" maxLength:"128" doc:"As typed, from the customer's document."`
		DocumentSeen  bool                    `json:"document_seen" enum:"true" doc:"The teller has the document before them."`
		IdentityCheck *IdentityCheckInputBody `json:"identity_check,omitempty" doc:"For a customer without a mobile, or whose number changed within 72 hours; with any other it counts for nothing."`
	}
}

// WithSession names one assisted session.
type WithSession struct {
	ID string `path:"assisted_session_id"`
}

type verifyAssistedInput struct {
	WithSession
	Body struct {
		Code string `json:"code" maxLength:"64" doc:"As the customer typed it: Arabic digits and spaces are understood." example:"482915"`
	}
}

// counter is what tellers do before they walk the path with a customer, and after.
func (s *server) counter() {
	create := op("create-assisted-session", http.MethodPost, "/v1/assisted-sessions", "Begin to serve a customer", "Counter")
	create.DefaultStatus = http.StatusCreated
	routeThrough(s, tellers, create, func(ctx context.Context, c bank.Caller, in *assistInput) (*answer[AssistedSession], error) {
		approach := bank.Approach{IDNumber: in.Body.IDNumber, Check: (*bank.IdentityCheck)(in.Body.IdentityCheck)}
		assistance, err := s.Path.Assist(ctx, c, approach)
		if err != nil {
			return nil, err
		}
		return &answer[AssistedSession]{assistedOf(assistance)}, nil
	})
	routeThrough(s, tellers, op("verify-assisted-session", http.MethodPost, "/v1/assisted-sessions/{assisted_session_id}/verify", "Enter the customer's code", "Counter"),
		func(ctx context.Context, c bank.Caller, in *verifyAssistedInput) (*answer[verified], error) {
			expires, err := s.Path.VerifyAssisted(ctx, c, in.ID, in.Body.Code)
			if err != nil {
				return nil, err
			}
			return &answer[verified]{verified{Verified: true, ProofExpiresAt: Instant(expires)}}, nil
		})
	end := op("end-assisted-session", http.MethodDelete, "/v1/assisted-sessions/{assisted_session_id}", "The customer leaves", "Counter")
	end.DefaultStatus = http.StatusNoContent
	routeThrough(s, tellers, end, func(ctx context.Context, c bank.Caller, in *WithSession) (*none, error) {
		return &none{}, s.Path.EndAssisted(ctx, c, in.ID)
	})
}
