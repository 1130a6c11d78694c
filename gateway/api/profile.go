package api

import (
	"context"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/otp"
)

// Account is one of the caller's own.
type Account struct {
	AccountID string `json:"account_id" doc:"May be given as account_number at step 9."`
	IBAN      string `json:"iban" doc:"Masked." example:"SA12 80** **** **** **** 0003"`
	Label     Text   `json:"label" doc:"What the bank calls the account."`
	Currency  string `json:"currency" example:"SAR" doc:"ISO 4217."`
	Status    string `json:"status" enum:"active,closed,frozen" doc:"Money goes back to an active one alone."`
}

// Profile is who the caller is at the bank.
type Profile struct {
	CustomerID string    `json:"customer_id" doc:"The bank's own."`
	Name       Text      `json:"name" doc:"As the bank has it."`
	ID         Party     `json:"id" doc:"National ID or iqama."`
	Mobile     *string   `json:"mobile" doc:"Masked; null when the bank has none." example:"+9665*****003"`
	Accounts   []Account `json:"accounts" nullable:"false" doc:"The customer's own."`
}

func profileOf(c bank.Customer) Profile {
	p := Profile{CustomerID: c.ID, Name: Text(c.Name), ID: partyOf(c.Identity), Accounts: []Account{}}
	if !c.Mobile.IsZero() {
		masked := c.Mobile.Masked()
		p.Mobile = &masked
	}
	for _, a := range c.Accounts {
		p.Accounts = append(p.Accounts, Account{
			AccountID: a.ID, IBAN: a.IBAN.Masked(), Label: Text(a.Label), Currency: a.Currency, Status: string(a.Status),
		})
	}
	return p
}

var sampleProfile = Profile{
	CustomerID: "p03", Name: Text{"أحمد حسن", "Ahmed Hassan"}, ID: Party{"iqama", "2******015"}, Mobile: new("+9665*****003"),
	Accounts: []Account{{
		AccountID: "acc-p03-1", IBAN: "SA12 80** **** **** **** 0003", Label: Text{"الحساب الجاري", "Current account"},
		Currency: "SAR", Status: "active",
	}},
}

// Challenge is a code on its way to the customer's phone.
type Challenge struct {
	ChallengeID  string  `json:"challenge_id" doc:"For resend, verify and confirm."`
	Purpose      string  `json:"purpose" enum:"profile,refund" doc:"What the code is good for."`
	SentTo       string  `json:"sent_to" doc:"Masked." example:"+9665*****003"`
	Digits       int     `json:"digits" example:"6" doc:"How many a code has."`
	ExpiresAt    Instant `json:"expires_at" doc:"The code is dead from then on."`
	ResendAfter  Instant `json:"resend_after" doc:"Not before then is another code sent."`
	AttemptsLeft int     `json:"attempts_left" example:"3" doc:"Wrong codes that this challenge still takes."`
}

func challengeOf(c otp.Challenge) Challenge {
	return Challenge{
		ChallengeID: c.ID, Purpose: string(c.Purpose), SentTo: c.To.Masked(), Digits: c.Digits,
		ExpiresAt: Instant(c.ExpiresAt), ResendAfter: Instant(c.ResendAfter), AttemptsLeft: c.AttemptsLeft,
	}
}

var (
	sampleChallenge = Challenge{
		ChallengeID: "MHNNZZSGT72NJ6NSGFMQVHRNAS6", Purpose: "profile", SentTo: "+9665*****003", Digits: 6,
		ExpiresAt: sampleAt(180 * time.Second), ResendAfter: sampleAt(time.Minute), AttemptsLeft: 3,
	}
	sampleRefundChallenge = Challenge{
		ChallengeID: "TMWW66OMGXUMYPYW2Q7MLDNUXI6", Purpose: "refund", SentTo: "+9665*****006", Digits: 6,
		ExpiresAt: sampleAt(180 * time.Second), ResendAfter: sampleAt(time.Minute), AttemptsLeft: 3,
	}
)

// getProfile is step 3.
func (s *server) getProfile() {
	route(s, op("get-profile", http.MethodGet, "/v1/profile", "Who the caller is", "Profile and codes").
		says("The customer as the bank knows them, and their accounts: the first screen after signing in.\n\n"+
			"It is about a person, so the token isn't enough. Whoever gets `step_up_required` sends a code, has it entered, and "+
			"calls again. Everything that identifies somebody is masked; an account is offered, and chosen at step 9, by its "+
			"`account_id`.").
		refuses("step_up_required not_found").
		shows(
			example{name: "before-the-code", summary: "No code was entered in this session", as: "p03", refused: bank.ErrNoProof},
			example{name: "profile", summary: "After the code", as: "p03", answer: sampleProfile},
		),
		func(ctx context.Context, c bank.Caller, _ *none) (*answer[Profile], error) {
			return answered(profileOf)(s.Path.Profile(ctx, c))
		})
}

type challengeInput struct {
	Body struct {
		Purpose  string `json:"purpose" enum:"profile,refund" doc:"profile opens the session; refund is for one confirm."`
		RefundID string `json:"refund_id,omitempty" maxLength:"64" doc:"Of the preview to confirm; with purpose refund, and only then."`
	}
}

type resendInput struct {
	ChallengeID string    `path:"challenge_id" doc:"Of the challenge."`
	Body        *struct{} `required:"false" doc:"Nothing, or {}."`
}

type verifyInput struct {
	ChallengeID string `path:"challenge_id" doc:"Of the challenge."`
	Body        struct {
		Code string `json:"code" maxLength:"64" doc:"As typed: Arabic digits and spaces are understood." example:"482915"`
	}
}

type verified struct {
	Verified       bool    `json:"verified" doc:"Always true: a wrong code is a problem."`
	ProofExpiresAt Instant `json:"proof_expires_at" doc:"Unless it is used before; each use renews it, up to 15 minutes in all."`
}

func verifiedUntil(expires time.Time) verified { return verified{true, Instant(expires)} }

// createChallenge is step 4: a code to the customer's own phone.
func (s *server) createChallenge() {
	route(s, op("create-challenge", http.MethodPost, "/v1/otp/challenges", "Send a one-time code", "Profile and codes").
		answers(http.StatusCreated).
		says("Sends a code by SMS, of as many digits as the bank likes, to the mobile that the bank has of the customer; no other can be named.\n\n"+
			"With purpose `profile` the code opens the session: enter it at `verify`. With purpose `refund` it is the customer's "+
			"word on one preview, and goes into its `confirm`; the SMS then names amount, service and account. It is asked for "+
			"only where the preview says `confirm_requires: code`.\n\n"+
			"A customer has one live challenge. A new one ends the one before, whatever it was for. Of SMS there are 5 an hour and "+
			"10 a day for the profile, 10 and 20 for refunds.").
		refuses("maintenance not_found mobile_missing mobile_recent refund_exists preview_expired locked resend_too_soon rate_limited sms_unavailable").
		shows(
			example{name: "for-the-profile", summary: "At the start of a session", as: "p03", body: `{"purpose":"profile"}`, answer: sampleChallenge},
			example{
				name: "for-a-refund", summary: "For a preview that says confirm_requires: code", as: "p06",
				body: `{"purpose":"refund","refund_id":"` + sampleLargeID + `"}`, answer: sampleRefundChallenge,
			},
			example{
				name: "too-soon", summary: "Again, less than a minute later", as: "p03", body: `{"purpose":"profile"}`,
				refused: &otp.TooSoonError{RetryAfter: time.Minute},
			},
			example{
				name: "malformed", summary: "For a refund, but for which?", as: "p03", body: `{"purpose":"refund"}`,
				refused: malformed("/refund_id", FaultMissing),
			},
			example{
				name: "no-mobile", summary: "Of a customer who must visit a branch", as: "p12", body: `{"purpose":"profile"}`,
				refused: bank.ErrMobileMissing,
			},
		),
		func(ctx context.Context, c bank.Caller, in *challengeInput) (*answer[Challenge], error) {
			switch purpose, named := otp.Purpose(in.Body.Purpose), in.Body.RefundID != ""; {
			case purpose == otp.Refund && !named:
				return nil, malformed("/refund_id", FaultMissing)
			case purpose != otp.Refund && named:
				return nil, malformed("/refund_id", FaultUnknown)
			}
			return answered(challengeOf)(s.Path.Challenge(ctx, c, otp.Purpose(in.Body.Purpose), in.Body.RefundID))
		})
}

// resendChallenge has the code sent again, also for a customer at the counter who is still to type it.
func (s *server) resendChallenge() {
	routeThrough(s, waiting, op("resend-challenge", http.MethodPost, "/v1/otp/challenges/{challenge_id}/resend", "Send a new code", "Profile and codes").
		says("Sends a new code for the same challenge. The code before is dead; wrong codes stay counted. Not within a minute of "+
			"the code before (`resend_after` says when), and no more than twice.").
		refuses("locked challenge_gone not_found mobile_missing mobile_recent resend_too_soon rate_limited sms_unavailable").
		shows(
			example{
				name: "again", summary: "The first SMS didn't arrive", as: "p03",
				with: map[string]string{"challenge_id": sampleChallenge.ChallengeID}, body: `{}`, answer: sampleChallenge,
			},
			example{
				name: "unknown", summary: "Of a challenge that is over, or never was", as: "p03",
				with: map[string]string{"challenge_id": "none"}, refused: otp.ErrGone,
			},
		),
		func(ctx context.Context, c bank.Caller, in *resendInput) (*answer[Challenge], error) {
			return answered(challengeOf)(s.Path.Resend(ctx, c, in.ChallengeID))
		})
}

// verifyChallenge makes a right code the proof that the phone was in somebody's hand.
func (s *server) verifyChallenge() {
	route(s, op("verify-challenge", http.MethodPost, "/v1/otp/challenges/{challenge_id}/verify", "Enter the code", "Profile and codes").
		says("Takes the code of a challenge for the profile. The session then has its proof: for 5 minutes, which each call that "+
			"needs it begins anew, and for 15 in all.\n\n"+
			"A wrong code costs one of three tries (`attempts_left`). Too many, over all challenges, and the customer is `locked`, "+
			"first for half an hour. A code for a refund isn't entered here but in the `confirm`.").
		refuses("locked challenge_gone code_wrong code_used").
		shows(
			example{
				name: "wrong", summary: "Not the code of the SMS", as: "p03", with: map[string]string{"challenge_id": sampleChallenge.ChallengeID},
				body: `{"code":"` + sampleWrongCode + `"}`, refused: &otp.WrongError{AttemptsLeft: 2},
			},
			example{
				name: "right", summary: "The code of the SMS", as: "p03", with: map[string]string{"challenge_id": sampleChallenge.ChallengeID},
				body: `{"code":"` + sampleCode + `"}`, answer: verified{true, sampleAt(5 * time.Minute)},
			},
			example{
				name: "used", summary: "The same once more", as: "p03", with: map[string]string{"challenge_id": sampleChallenge.ChallengeID},
				body: `{"code":"` + sampleCode + `"}`, refused: otp.ErrUsed,
			},
		),
		func(ctx context.Context, c bank.Caller, in *verifyInput) (*answer[verified], error) {
			return answered(verifiedUntil)(s.Path.Verify(ctx, c, in.ChallengeID, in.Body.Code))
		})
}
