package client

import (
	"log/slog"
	"time"
)

// Text is for people, in both languages.
type Text struct {
	AR string `json:"ar"`
	EN string `json:"en"`
}

// Party is a person or thing that a fee is about.
type Party struct {
	Kind   string `json:"kind"`   // national_id, iqama, border, establishment, vehicle
	Number string `json:"number"` // masked
}

// Profile is who the customer is at the bank.
type Profile struct {
	CustomerID string    `json:"customer_id"`
	Name       Text      `json:"name"`
	ID         Party     `json:"id"`
	Mobile     string    `json:"mobile"` // masked; empty when the bank has none
	Accounts   []Account `json:"accounts"`
}

// Account is one of the customer's own.
type Account struct {
	AccountID string `json:"account_id"` // may be given as the account number of an Ask
	IBAN      string `json:"iban"`       // masked
	Label     Text   `json:"label"`
	Currency  string `json:"currency"`
	Status    string `json:"status"` // active, closed, frozen
}

// Challenge is a code on its way to the customer's phone.
type Challenge struct {
	ChallengeID  string    `json:"challenge_id"`
	Purpose      string    `json:"purpose"` // profile, refund
	SentTo       string    `json:"sent_to"` // masked
	Digits       int       `json:"digits"`
	ExpiresAt    time.Time `json:"expires_at"`
	ResendAfter  time.Time `json:"resend_after"`
	AttemptsLeft int       `json:"attempts_left"`
}

// Proof says that the customer's phone was in somebody's hand.
type Proof struct {
	Verified  bool      `json:"verified"`
	ExpiresAt time.Time `json:"proof_expires_at"` // unless it is used before: each use renews it, up to 15 minutes in all
}

// Menu is the bank's menu of payments, in its own words and order.
type Menu struct {
	Name    Text      `json:"name"`
	Items   []Payment `json:"items"`
	Notices []Notice  `json:"notices"` // of the moment
}

// Notice is something that the bank tells everybody for a while.
type Notice struct {
	Text  Text      `json:"text"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Payment is an entry of the payments menu.
type Payment struct {
	ID   string `json:"id"` // e-payments leads to the services; where others lead is the channel's business
	Name Text   `json:"name"`
}

// Service is one that the customer has requests of.
type Service struct {
	Service         string  `json:"service"` // such as 090-003
	Name            Text    `json:"name"`    // generic, without a request's variant
	Sector          Text    `json:"sector"`
	RefundableCount int     `json:"refundable_count"`
	RefundableTotal Halalas `json:"refundable_total"`
}

// Request is one paid request, and whether it can come back.
type Request struct {
	RequestID   string    `json:"request_id"`
	Service     string    `json:"service"`
	Name        Text      `json:"name"` // with its variant
	Beneficiary Party     `json:"beneficiary"`
	Amount      Halalas   `json:"amount"`
	PaidAt      time.Time `json:"paid_at"`
	PaidFrom    *PaidFrom `json:"paid_from"` // nil unless the customer's own
	Refundable  bool      `json:"refundable"`
	Reason      Code      `json:"reason"` // why it isn't refundable; empty when it is
	ReasonText  Text      `json:"reason_text"`
	Warnings    []Warning `json:"warnings"`
}

// PaidFrom is the customer's own account that paid.
type PaidFrom struct {
	AccountID string `json:"account_id"`
	IBAN      string `json:"iban"` // masked
}

// Warning is something to know although nothing stands in the way.
type Warning struct {
	Code string `json:"code"` // id_expired
	Text Text   `json:"text"`
}

// Ask is what the customer enters to get a request's money back.
type Ask struct {
	RequestID     string
	AccountNumber string // an IBAN, the bank's 15-digit number, or an AccountID of the profile
	IDNumber      string // the customer's own

	// Key is the Idempotency-Key: the same key and contents give the same preview, while it lives. Left empty, one is made
	// for the call and kept over its repetitions.
	Key string
}

// String names the request and nothing that was typed.
func (a Ask) String() string { return "for " + a.RequestID }

// GoString is String.
func (a Ask) GoString() string { return a.String() }

// LogValue is String.
func (a Ask) LogValue() slog.Value { return slog.StringValue(a.String()) }

// Preview is what would be given back, and where to. It lives for five minutes.
type Preview struct {
	RefundID         string    `json:"refund_id"`
	Status           Status    `json:"status"` // preview
	Service          string    `json:"service"`
	Name             Text      `json:"name"`
	Amount           Halalas   `json:"amount"`
	ToAccount        string    `json:"to_account"` // masked
	Beneficiary      Party     `json:"beneficiary"`
	PromisedBy       Date      `json:"promised_by"`
	PromisedByHijri  string    `json:"promised_by_hijri"` // Umm al-Qura, 1447-09-21
	ExpiresAt        time.Time `json:"expires_at"`
	ConfirmRequires  string    `json:"confirm_requires"` // none, code
	ApprovalRequired bool      `json:"approval_required"`
	Warnings         []Warning `json:"warnings"`

	Replayed bool `json:"-"` // the gateway gave this answer before
}

// NeedsCode tells that the confirm takes a code of its own: see ChallengeRefund and ConfirmWithCode.
func (p Preview) NeedsCode() bool { return p.ConfirmRequires == "code" }

// Status is how far a refund is, as customers are told.
type Status string

// The statuses.
const (
	Previewed   Status = "preview" // and no refund yet
	Processing  Status = "processing"
	Completed   Status = "completed" // the money is in the account
	Rejected    Status = "rejected"
	Cancelled   Status = "cancelled"
	VisitBranch Status = "visit_branch" // the account took no credit
)

// Final tells that nothing more will happen.
func (s Status) Final() bool {
	return s == Completed || s == Rejected || s == Cancelled || s == VisitBranch
}

// Confirmation says that a refund is recorded: from here on it can't be lost.
type Confirmation struct {
	RefundID        string  `json:"refund_id"`
	Reference       string  `json:"reference"` // RF…, for people
	Status          Status  `json:"status"`
	State           string  `json:"state"` // finer than the status
	Amount          Halalas `json:"amount"`
	PromisedBy      Date    `json:"promised_by"`
	PromisedByHijri string  `json:"promised_by_hijri"`

	Replayed bool `json:"-"` // it was confirmed before; status and state are as of now
}

// Refund is a refund as its customer sees it.
type Refund struct {
	RefundID        string    `json:"refund_id"`
	Reference       string    `json:"reference"` // RF…, for people
	Status          Status    `json:"status"`
	State           string    `json:"state"` // finer than the status
	Amount          Halalas   `json:"amount"`
	Service         string    `json:"service"`
	Name            Text      `json:"name"`
	ToAccount       string    `json:"to_account"` // masked
	Beneficiary     Party     `json:"beneficiary"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	PromisedBy      Date      `json:"promised_by"`
	PromisedByHijri string    `json:"promised_by_hijri"`
	Reason          Code      `json:"reason"` // of a rejected or returned one
	ReasonText      Text      `json:"reason_text"`
	Overdue         string    `json:"overdue"`  // to a teller: overdue after three working days, red after seven
	Timeline        []Step    `json:"timeline"` // oldest first; lists leave it out
}

// Step is one entry of a refund's timeline.
type Step struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	Text  Text      `json:"text"`
}

// Balance is what is left unused under a number.
type Balance struct {
	ID      Party    `json:"id"`
	Buckets []Bucket `json:"buckets"` // all six, zeros too
	Total   Halalas  `json:"total"`
}

// Bucket is one of the sums that a balance is divided into.
type Bucket struct {
	Bucket string  `json:"bucket"` // passports, sponsorees, vehicles, driving_license, labour, civil
	Name   Text    `json:"name"`
	Amount Halalas `json:"amount"`
}

// Page is a part of a list.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"` // of the next page; empty after the last
}
