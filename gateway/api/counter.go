package api

import (
	"context"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/otp"
)

// Attended is the customer before a teller.
type Attended struct {
	Name   Text    `json:"name" doc:"As the bank has it."`
	ID     Party   `json:"id" doc:"As on the document."`
	Mobile *string `json:"mobile" doc:"Masked; null when the bank has none." example:"+9665*****003"`
}

// Outlook is whether one paid request can come back. It has no amounts, dates or persons: the customer hasn't proved yet
// that they are there.
type Outlook struct {
	Service    string  `json:"service" example:"090-003" doc:"Its code."`
	Name       Text    `json:"name" doc:"Generic, without a request's variant."`
	Refundable bool    `json:"refundable" doc:"Whether the customer can ask for it now."`
	Reason     *string `json:"reason" doc:"Null when refundable." example:"fee_consumed"`
}

func outlookOf(o bank.Outlook) Outlook {
	reason, _ := reasonOf(o.Reason, o.Reason.Text())
	return Outlook{
		Service: o.Service.Code, Name: Text(o.Service.Name), Refundable: o.Refundable(), Reason: reason,
	}
}

// AssistedSession is a customer at the counter.
type AssistedSession struct {
	AssistedSessionID string           `json:"assisted_session_id" doc:"For the header Assisted-Session."`
	Customer          Attended         `json:"customer" doc:"Who has the number."`
	Overview          []Outlook        `json:"overview" nullable:"false" doc:"Of the customer's newest 1,000 requests, by service."`
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

var (
	sampleAssisted = AssistedSession{
		AssistedSessionID: "019cbcb6-7d20-7c4b-a1f0-2b9e4f6a8c10",
		Customer:          Attended{Text{"ماريا سانتوس", "Maria Santos"}, Party{"iqama", "2******064"}, new("+9665*****008")},
		Overview:          []Outlook{{Service: "090-003", Name: sampleService.Name, Refundable: true}},
		Challenge: Maybe[Challenge]{&Challenge{
			ChallengeID: "Q3ZL5J2XK7M4WAVN6TREHYDBCU6", Purpose: "profile", SentTo: "+9665*****008", Digits: 6,
			ExpiresAt: sampleAt(180 * time.Second), ResendAfter: sampleAt(time.Minute), AttemptsLeft: 3,
		}},
	}
	// Of p12, who has no mobile.
	sampleChecked = AssistedSession{
		AssistedSessionID: "019cbcb7-1a30-7d5c-b2e1-3c0f5a7b9d21",
		Customer:          Attended{Text{"منيرة الشمري", "Munira Alshammari"}, Party{"national_id", "1******041"}, nil},
		Overview:          []Outlook{{Service: "092-037", Name: Text(moi.Describe("092-037").Name), Refundable: true}},
	}
)

// IdentityCheckInputBody is how a teller made sure of a customer who can't be sent a code. It is a body's part, and by its
// name as closed as one.
type IdentityCheckInputBody struct {
	Method string `json:"method" minLength:"1" maxLength:"64" example:"passport" doc:"In the bank's own words."`
	Note   string `json:"note" minLength:"1" maxLength:"500" doc:"For whoever approves, and for auditors."`
}

type assistInput struct {
	Body struct {
		IDNumber      string                  `json:"id_number" maxLength:"128" doc:"As typed, from the customer's document."`
		DocumentSeen  bool                    `json:"document_seen" enum:"true" doc:"The teller has the document before them."`
		IdentityCheck *IdentityCheckInputBody `json:"identity_check,omitempty" doc:"For a customer without a mobile, or whose number changed within 72 hours or what the bank has set; with any other it counts for nothing."`
	}
}

// WithSession names one assisted session.
type WithSession struct {
	ID string `path:"assisted_session_id" doc:"Of the session."`
}

type verifyAssistedInput struct {
	WithSession
	Body struct {
		Code string `json:"code" maxLength:"64" doc:"As the customer typed it: Arabic digits and spaces are understood." example:"482915"`
	}
}

// createAssistedSession is how a teller begins to serve the customer before them.
func (s *server) createAssistedSession() {
	routeThrough(s, tellers, op("create-assisted-session", http.MethodPost, "/v1/assisted-sessions", "Begin to serve a customer", "Counter").
		answers(http.StatusCreated).
		says("The teller enters the number of the document that the customer shows. The answer says what could come back and why the "+
			"rest can't, without amounts, dates or persons: the customer hasn't proved yet that they are there. A code is on its way "+
			"to their own phone; they type it on a keypad that is turned to them.\n\n"+
			"A customer without a mobile, or whose number changed within 72 hours, is let in by an `identity_check` instead; every "+
			"refund of theirs then waits for somebody else's approval. Each look is put on record, found or not, and an employee has "+
			"50 a day. Nobody serves themselves or a relative (`forbidden`). A session lasts 15 minutes without use, 30 in all.").
		refuses("maintenance id_invalid rate_limited not_found mobile_missing mobile_recent core_unavailable locked resend_too_soon sms_unavailable").
		shows(
			example{
				name: "by-code", summary: "The customer has a phone", as: "t01",
				body: `{"id_number":"2900000064","document_seen":true}`, answer: sampleAssisted,
			},
			example{
				name: "by-identity-check", summary: "The customer has none", as: "t01",
				body:   `{"id_number":"1900000041","document_seen":true,"identity_check":{"method":"passport","note":"Passport and signature compared"}}`,
				answer: sampleChecked,
			},
			example{
				name: "relative", summary: "The teller's brother", as: "t01", body: `{"id_number":"1900000033","document_seen":true}`,
				refused: bank.ErrBarred,
			},
		),
		func(ctx context.Context, c bank.Caller, in *assistInput) (*answer[AssistedSession], error) {
			approach := bank.Approach{IDNumber: in.Body.IDNumber, Check: (*bank.IdentityCheck)(in.Body.IdentityCheck)}
			return answered(assistedOf)(s.Path.Assist(ctx, c, approach))
		})
}

// verifyAssistedSession lets the teller walk the path with the customer, who has proved that they are there.
func (s *server) verifyAssistedSession() {
	routeThrough(s, tellers, op("verify-assisted-session", http.MethodPost, "/v1/assisted-sessions/{assisted_session_id}/verify", "Enter the customer's code", "Counter").
		says("Takes the code that the customer typed. From then on the teller walks the customer's path: every call of it takes the "+
			"teller's token with the header `Assisted-Session`, which stands for the proof.").
		refuses("not_found locked challenge_gone code_wrong code_used").
		shows(
			example{
				name: "wrong", summary: "Not the code of the SMS", as: "t01", with: map[string]string{"assisted_session_id": sampleAssisted.AssistedSessionID},
				body: `{"code":"` + sampleWrongCode + `"}`, refused: &otp.WrongError{AttemptsLeft: 2},
			},
			example{
				name: "right", summary: "The code of the SMS", as: "t01", with: map[string]string{"assisted_session_id": sampleAssisted.AssistedSessionID},
				body: `{"code":"` + sampleCode + `"}`, answer: verified{true, sampleAt(bank.AssistedIdle)},
			},
		),
		func(ctx context.Context, c bank.Caller, in *verifyAssistedInput) (*answer[verified], error) {
			return answered(verifiedUntil)(s.Path.VerifyAssisted(ctx, c, in.ID, in.Body.Code))
		})
}

// endAssistedSession is how a customer leaves the counter.
func (s *server) endAssistedSession() {
	routeThrough(s, tellers, op("end-assisted-session", http.MethodDelete, "/v1/assisted-sessions/{assisted_session_id}", "The customer leaves", "Counter").
		answers(http.StatusNoContent).
		says("Ends the session. Whatever was confirmed in it goes on.").
		refuses("not_found").
		shows(
			example{name: "end", summary: "The customer leaves", as: "t01", with: map[string]string{"assisted_session_id": sampleAssisted.AssistedSessionID}},
			example{
				name: "ended", summary: "A session that is over, never was, or is another teller's", as: "t01",
				with: map[string]string{"assisted_session_id": sampleAssisted.AssistedSessionID}, refused: bank.ErrNotFound,
			},
		),
		func(ctx context.Context, c bank.Caller, in *WithSession) (*none, error) {
			return &none{}, s.Path.EndAssisted(ctx, c, in.ID)
		})
}
