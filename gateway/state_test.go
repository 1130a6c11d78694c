package gateway_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/saudi"
)

// moves is the truth table of State's comment once more, as text. "-" is a move that must be refused; a footnote's
// exceptions have tests of their own below.
const moves = `
	                   Approve  Cancel     Send     NotSent  Doubt     Accept   Release   Reject    Escalate  Credit    RefuseCredit  Return
	awaiting_approval  queued   cancelled  -        -        -         -        -         -         -         -         -             -
	queued             -        cancelled  sending  -        -         -        -         -         manual    -         -             -
	sending            -        -          -        queued¹  in_doubt  pending  refunded  rejected  -         -         -             -
	in_doubt           -        -          sending² -        -         pending  refunded  rejected  manual    -         -             -
	pending            -        -          -        -        -         -        refunded  rejected  manual    -         -             -
	refunded           -        -          -        -        -         -        -         -         manual    credited  returning     -
	returning          -        -          -        -        -         -        -         -         manual    -         -             returned
	manual             -        -          -        -        in_doubt  -        refunded² rejected² -         credited³ -             returned⁴
	credited           -        -          -        -        -         -        -         -         -         -         -             -
	rejected           -        -          -        -        -         -        -         -         -         -         -             -
	cancelled          -        -          -        -        -         -        -         -         -         -         -             -
	returned           -        -          -        -        -         -        -         -         -         -         -             -
`

var (
	at = time.Date(2026, 3, 5, 6, 10, 0, 0, time.UTC)
	by = gateway.Dispatcher(at, gateway.Evidence{"cause": "test"})
)

// verbs are the moves by the column of the table that they stand in.
var verbs = map[string]func(gateway.Refund) (gateway.Change, error){
	"Approve":  func(r gateway.Refund) (gateway.Change, error) { return r.Approve(by) },
	"Cancel":   func(r gateway.Refund) (gateway.Change, error) { return r.Cancel(by, "withdrawn") },
	"Send":     func(r gateway.Refund) (gateway.Change, error) { return r.Send(by, time.Minute) },
	"NotSent":  func(r gateway.Refund) (gateway.Change, error) { return r.NotSent(by, true, at) },
	"Doubt":    func(r gateway.Refund) (gateway.Change, error) { return r.Doubt(by, at) },
	"Accept":   func(r gateway.Refund) (gateway.Change, error) { return r.Accept(by, "GC-1", at) },
	"Release":  func(r gateway.Refund) (gateway.Change, error) { return r.Release(by, "GC-1") },
	"Reject":   func(r gateway.Refund) (gateway.Change, error) { return r.Reject(by, "fee_consumed") },
	"Escalate": func(r gateway.Refund) (gateway.Change, error) { return r.Escalate(by, "test") },
	"Credit":   func(r gateway.Refund) (gateway.Change, error) { return r.Credit(by, "L-1") },
	"RefuseCredit": func(r gateway.Refund) (gateway.Change, error) {
		return r.RefuseCredit(by, "account_closed")
	},
	"Return": func(r gateway.Refund) (gateway.Change, error) { return r.Return(by) },
}

// refundIn is a refund as it may stand in a state. For each verb of manual the history that its footnote asks for.
func refundIn(s gateway.State, verb string) gateway.Refund {
	r := gateway.Refund{ID: "r-1", Reference: "RFK5EWJTN6GVB8STYT", State: s, Version: 7, Sends: 1, SentAt: at}
	switch {
	case s == gateway.Refunded, s == gateway.Manual && verb == "Credit":
		r.ReleasedAt = at
	case s == gateway.Returning, s == gateway.Manual && verb == "Return":
		r.ReleasedAt, r.CreditRefusal = at, "account_closed"
	}
	return r
}

func TestMoves(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(moves), "\n")
	columns := strings.Fields(lines[0])
	if len(columns) != len(verbs) {
		t.Fatalf("the table has %d moves, the code %d", len(columns), len(verbs))
	}
	if len(lines)-1 != len(gateway.States()) {
		t.Fatalf("the table has %d states, the code %d", len(lines)-1, len(gateway.States()))
	}
	for i, line := range lines[1:] {
		cells := strings.Fields(line)
		from := gateway.State(cells[0])
		if from != gateway.States()[i] {
			t.Fatalf("row %d is %s, want %s", i, from, gateway.States()[i])
		}
		for j, verb := range columns {
			want := gateway.State(strings.TrimRight(cells[j+1], "¹²³⁴"))
			t.Run(string(from)+" "+verb, func(t *testing.T) {
				before := refundIn(from, verb)
				change, err := verbs[verb](before)
				if want == "-" {
					if !errors.Is(err, gateway.ErrMove) {
						t.Fatalf("err = %v, want ErrMove", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				after := change.Refund()
				event, moved := change.Event()
				switch {
				case after.State != want:
					t.Errorf("became %s, want %s", after.State, want)
				case change.From() != before.Version || after.Version != before.Version+1:
					t.Errorf("version %d became %d", before.Version, after.Version)
				case !moved || event.From != from || event.To != want || event.Version != after.Version || event.Actor.Role == "":
					t.Errorf("event = %+v", event)
				case want.Final() && want != gateway.Credited && !after.Due.IsZero():
					t.Errorf("a final refund is due at %v", after.Due)
				}
			})
		}
	}
}

// TestTableInComment keeps the drawing in the doc comment and the table above from drifting apart.
func TestTableInComment(t *testing.T) {
	source, err := os.ReadFile("state.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(strings.TrimSpace(moves)) {
		if want := strings.Join(strings.Fields(line), " "); !strings.Contains(squeeze(string(source)), want) {
			t.Errorf("the comment of State lacks the row %q", want)
		}
	}
}

func squeeze(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "//", "")), " ")
}

func TestFootnotes(t *testing.T) {
	released := gateway.Refund{State: gateway.Manual, ReleasedAt: at}
	refused := gateway.Refund{State: gateway.Manual, ReleasedAt: at, CreditRefusal: "account_closed"}
	unreleased := gateway.Refund{State: gateway.Manual}
	for _, c := range []struct {
		name string
		r    gateway.Refund
		verb string
	}{
		{"released, so not released again", released, "Release"},
		{"released, so never rejected", released, "Reject"},
		{"released and handed back as a doubt, so never sent again", gateway.Refund{State: gateway.InDoubt, ReleasedAt: at}, "Send"},
		{"not released, so nothing to credit", unreleased, "Credit"},
		{"refused by the bank, so never credited", refused, "Credit"},
		{"not released, so nothing to return", unreleased, "Return"},
		{"not refused by the bank, so not returned", released, "Return"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := verbs[c.verb](c.r); !errors.Is(err, gateway.ErrMove) {
				t.Fatalf("err = %v, want ErrMove", err)
			}
		})
	}
	t.Run("a re-send that provably did not leave stays in doubt", func(t *testing.T) {
		doubt, err := refundIn(gateway.Sending, "").Doubt(by, at)
		if err != nil {
			t.Fatal(err)
		}
		again, err := doubt.Refund().Send(by, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		back, err := again.Refund().NotSent(by, false, at)
		if err != nil {
			t.Fatal(err)
		}
		if r := back.Refund(); r.State != gateway.InDoubt || r.Sends != 1 || !r.DoubtSince.Equal(at) {
			t.Fatalf("%s after %d sends, in doubt since %v", r.State, r.Sends, r.DoubtSince)
		}
	})
}

func TestStatusIsNeverAFailureWhileAnythingIsOpen(t *testing.T) {
	want := map[gateway.State]gateway.Status{
		gateway.Credited: gateway.StatusCompleted, gateway.Rejected: gateway.StatusRejected,
		gateway.Cancelled: gateway.StatusCancelled, gateway.Returned: gateway.StatusVisitBranch,
	}
	for _, s := range gateway.States() {
		status, final := want[s]
		if !final {
			status = gateway.StatusProcessing
		}
		if s.Status() != status || s.Final() != final {
			t.Errorf("%s: shown as %s, final %v; want %s, %v", s, s.Status(), s.Final(), status, final)
		}
	}
}

func TestReference(t *testing.T) {
	for _, c := range []struct {
		bank, request string
		ordinal       int
		want          string
	}{
		{"80", "rq-0001", 0, "RFK5EWJTN6GVB8STYT"}, // core-protocol.md
	} {
		if got := gateway.Reference(c.bank, c.request, c.ordinal); got != c.want {
			t.Errorf("Reference(%s, %s, %d) = %s, want %s", c.bank, c.request, c.ordinal, got, c.want)
		}
	}
	seen := map[string]bool{}
	for _, r := range []string{
		gateway.Reference("80", "rq-0001", 0), gateway.Reference("80", "rq-0001", 1),
		gateway.Reference("80", "rq-00010", 0), gateway.Reference("10", "rq-0001", 0),
	} {
		if seen[r] {
			t.Errorf("%s twice", r)
		}
		seen[r] = true
	}
}

func TestAcceptance(t *testing.T) {
	base := gateway.Acceptance{
		ID: "r-1", Bank: "80", At: at,
		Origin:  gateway.Origin{Customer: "p03", Session: "s", Channel: gateway.Online},
		Payment: gateway.Payment{RequestID: "rq-0001", Service: "090-003", Name: moi.Name{EN: "Renew Iqama"}, Amount: 65000},
		Rules:   gateway.Rules{Limit: 1_000_000, ApproveAbove: 500_000, ApprovalExpires: at.Add(time.Hour)},
	}
	checked := []gateway.Mark{gateway.IdentityChecked}
	for _, c := range []struct {
		name  string
		spent money.Amount
		set   func(*gateway.Acceptance)
		want  gateway.State // empty: limit exceeded
		held  gateway.Marks
	}{
		{"goes to the queue", 0, nil, gateway.Queued, ""},
		{"up to the limit", 935_000, func(a *gateway.Acceptance) { a.Rules.ApproveAbove = 0 }, gateway.Queued, ""},
		{"one halala above the limit", 935_001, nil, "", ""},
		{"up to what needs no approval", 435_000, nil, gateway.Queued, ""},
		{"above it", 435_001, nil, gateway.AwaitingApproval, "above_limit"},
		{"whatever its amount", 0, func(a *gateway.Acceptance) { a.Rules.Holds = checked }, gateway.AwaitingApproval, "identity_check"},
		{"both", 435_001, func(a *gateway.Acceptance) { a.Rules.Holds = checked }, gateway.AwaitingApproval, "above_limit identity_check"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := base
			if c.set != nil {
				c.set(&a)
			}
			r, event, err := a.Refund(0, c.spent)
			if c.want == "" {
				if !errors.Is(err, gateway.ErrLimitExceeded) {
					t.Fatalf("err = %v, want ErrLimitExceeded", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Held != c.held || gateway.NewMarks(r.Held.List()...) != c.held {
				t.Errorf("held for %q", r.Held)
			}
			if r.State != c.want || r.Version != 1 || r.Reference != "RFK5EWJTN6GVB8STYT" || event.To != c.want || event.Actor.ID != "p03" {
				t.Fatalf("refund %s v%d %s, event %+v", r.State, r.Version, r.Reference, event)
			}
		})
	}
	t.Run("the day is Riyadh's", func(t *testing.T) {
		late := base
		late.At = time.Date(2026, 3, 5, 21, 0, 0, 0, time.UTC) // midnight in Riyadh
		if got, want := late.Day(), (saudi.Date{Year: 2026, Month: 3, Day: 6}); got != want {
			t.Fatalf("day %v, want %v", got, want)
		}
	})
}
