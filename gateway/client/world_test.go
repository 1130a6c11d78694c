package client_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/gateway/client"
)

// signIn is one session of one person of the world, seen through the client.
func signIn(t *testing.T, w *banktest.World, user string) (*client.Client, *banktest.Customer) {
	t.Helper()
	person := w.Customer(user)
	c, err := client.New(w.URLs().Gateway, client.Token(person.Token), client.English())
	if err != nil {
		t.Fatal(err)
	}
	return c, person
}

// prove is steps 3 and 4.
func prove(t *testing.T, c *client.Client, person *banktest.Customer) {
	t.Helper()
	challenge, err := c.Challenge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if proof, err := c.Verify(t.Context(), challenge.ChallengeID, person.Code()); err != nil || !proof.Verified {
		t.Fatalf("%+v, %v", proof, err)
	}
}

// TestPath is the whole way of a customer, from a profile that asks for a code to the money.
func TestPath(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	ctx := t.Context()

	var problem *client.Problem
	if _, err := c.Profile(ctx); !errors.Is(err, client.ErrStepUpRequired) || !errors.As(err, &problem) ||
		problem.Status != 403 || problem.RequestID == "" || problem.Title != "A code is required" {
		t.Fatalf("without a proof: %v %+v", err, problem)
	}

	challenge, err := c.Challenge(ctx)
	if err != nil || challenge.Digits != 6 || challenge.AttemptsLeft != 3 || time.Until(challenge.ExpiresAt) <= 0 {
		t.Fatalf("%+v, %v", challenge, err)
	}
	if _, err := c.Resend(ctx, challenge.ChallengeID); !errors.Is(err, client.ErrResendTooSoon) || !errors.As(err, &problem) || problem.RetryAfter <= 0 {
		t.Fatalf("resent at once: %v", err)
	}
	right := person.Code()
	if _, err := c.Verify(ctx, challenge.ChallengeID, wrong(right)); !errors.Is(err, client.ErrCodeWrong) || !errors.As(err, &problem) || problem.AttemptsLeft != 2 {
		t.Fatalf("a wrong code: %v", err)
	}
	if _, err := c.Verify(ctx, challenge.ChallengeID, "no code"); !errors.Is(err, client.ErrMalformedRequest) || !errors.As(err, &problem) || len(problem.Faults) != 1 {
		t.Fatalf("no code: %v", err)
	}
	proof, err := c.Verify(ctx, challenge.ChallengeID, right)
	if err != nil || time.Until(proof.ExpiresAt) <= 0 {
		t.Fatalf("%+v, %v", proof, err)
	}

	profile, err := c.Profile(ctx)
	if err != nil || profile.Name.AR == "" || profile.ID.Kind != "iqama" || profile.Mobile == "" || len(profile.Accounts) == 0 {
		t.Fatalf("%+v, %v", profile, err)
	}
	if menu, err := c.Payments(ctx); err != nil || menu.Name.EN != "Payments" || menu.Items[0].ID != "e-payments" {
		t.Fatalf("%+v, %v", menu, err)
	}
	services, err := c.Services(ctx)
	if err != nil || len(services) != 1 || services[0].RefundableTotal != 65000 {
		t.Fatalf("%+v, %v", services, err)
	}
	var found client.Request
	for request, err := range c.Requests(ctx, services[0].Service) {
		if err != nil {
			t.Fatal(err)
		}
		found = request
	}
	if !found.Refundable || found.Reason != "" || found.PaidFrom == nil || found.Amount.String() != "650.00" {
		t.Fatalf("the request is %+v", found)
	}

	ask := client.Ask{RequestID: found.RequestID, AccountNumber: found.PaidFrom.AccountID, IDNumber: person.IDNumber()}
	preview, err := c.Preview(ctx, ask)
	if err != nil || preview.Amount != found.Amount || preview.NeedsCode() || preview.PromisedBy.String() == "" || preview.Replayed {
		t.Fatalf("%+v, %v", preview, err)
	}
	if seen, err := c.Refund(ctx, preview.RefundID); err != nil || seen.Refund != nil || seen.Preview.Amount != found.Amount {
		t.Fatalf("%+v, %v", seen, err)
	}
	accepted, err := c.Confirm(ctx, preview.RefundID)
	if err != nil || accepted.Replayed || accepted.Amount != found.Amount || accepted.Status.Final() {
		t.Fatalf("%+v, %v", accepted, err)
	}
	if more, err := c.Confirm(ctx, preview.RefundID); err != nil || !more.Replayed || more.Reference != accepted.Reference {
		t.Fatalf("confirmed again: %+v, %v", more, err)
	}
	if _, err := c.Preview(ctx, ask); !errors.Is(err, client.ErrRefundExists) || !errors.As(err, &problem) ||
		problem.Links.Refund != "/v1/refunds/"+preview.RefundID {
		t.Fatalf("asked for again: %v", err)
	}
	person.Await(preview.RefundID, "completed")

	seen, err := c.Refund(ctx, preview.RefundID)
	if err != nil || seen.Preview != nil || seen.Refund.Status != client.Completed || len(seen.Refund.Timeline) < 3 {
		t.Fatalf("%+v, %v", seen, err)
	}
	for refund, err := range c.Refunds(ctx) {
		if err != nil || refund.Reference != accepted.Reference {
			t.Errorf("listed is %+v, %v", refund, err)
		}
	}
	if refund, err := c.FindRefund(ctx, accepted.Reference); err != nil || refund.RefundID != preview.RefundID {
		t.Errorf("found is %+v, %v", refund, err)
	}
	if _, err := c.FindRefund(ctx, "RF0000000000000000"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("found is one that there isn't: %v", err)
	}
	if err := c.Cancel(ctx, preview.RefundID); !errors.Is(err, client.ErrTooLate) {
		t.Errorf("withdrawn after the end: %v", err)
	}
	w.Exact()
}

// wrong is a code that isn't that one.
func wrong(code string) string {
	digits := []byte(code)
	digits[0] = '0' + (digits[0]-'0'+1)%10
	return string(digits)
}

// TestConfirmWithCode: above 1,000.00 a confirm takes a code of its own.
func TestConfirmWithCode(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p06")
	prove(t, c, person)
	ctx := t.Context()
	preview, err := c.Preview(ctx, client.Ask{RequestID: "rq-p05-1", AccountNumber: person.Account(), IDNumber: person.IDNumber()})
	if err != nil || !preview.NeedsCode() {
		t.Fatalf("%+v, %v", preview, err)
	}
	if _, err := c.Confirm(ctx, preview.RefundID); !errors.Is(err, client.ErrStepUpRequired) {
		t.Fatalf("without a code: %v", err)
	}
	challenge, err := c.ChallengeRefund(ctx, preview.RefundID)
	if err != nil || challenge.Purpose != "refund" {
		t.Fatalf("%+v, %v", challenge, err)
	}
	code := person.Code()
	for _, replayed := range []bool{false, true} { // the second is what a client does whose first answer got lost
		if accepted, err := c.ConfirmWithCode(ctx, preview.RefundID, challenge.ChallengeID, code); err != nil || accepted.Replayed != replayed {
			t.Fatalf("%+v, %v", accepted, err)
		}
	}
	w.Exact()
}

// TestCancel: a preview can be withdrawn, and then there is none.
func TestCancel(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	prove(t, c, person)
	ctx := t.Context()
	preview, err := c.Preview(ctx, client.Ask{RequestID: "rq-p03-1", AccountNumber: person.Account(), IDNumber: person.IDNumber()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Cancel(ctx, preview.RefundID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Refund(ctx, preview.RefundID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a withdrawn preview: %v", err)
	}
	if err := c.Cancel(ctx, preview.RefundID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("withdrawn twice: %v", err)
	}
}

// TestReasons: why a request can't come back is told by the code that a preview is refused with.
func TestReasons(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p04")
	prove(t, c, person)
	ctx := t.Context()
	services, err := c.Services(ctx)
	if err != nil || len(services) != 1 {
		t.Fatalf("%+v, %v", services, err)
	}
	for request, err := range c.Requests(ctx, services[0].Service) {
		if err != nil {
			t.Fatal(err)
		}
		if request.Refundable || request.Reason != client.ErrFeeConsumed || request.ReasonText.EN == "" {
			t.Errorf("the request is %+v", request)
		}
		_, err = c.Preview(ctx, client.Ask{RequestID: request.RequestID, AccountNumber: person.Account(), IDNumber: person.IDNumber()})
		if !errors.Is(err, request.Reason) {
			t.Errorf("the preview is refused with %v", err)
		}
	}
}

// TestThroughTrouble: the bank's systems fail now and then, and the path goes on all the same.
func TestThroughTrouble(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	prove(t, c, person)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	impatient, err := client.New(w.URLs().Gateway, client.Token(person.Token), client.Attempts(1))
	if err != nil {
		t.Fatal(err)
	}
	w.Fault(banktest.Unavailable, banktest.OnCustomer, banktest.Count(2))
	if _, err := impatient.Profile(ctx); !errors.Is(err, client.ErrTryAgain) {
		t.Fatalf("the bank's systems are away: %v", err)
	}
	if _, err := c.Profile(ctx); err != nil { // its first attempt meets the second failure
		t.Fatal(err)
	}
}

// TestOneForMany: a client may be used by many at once, and one preview confirmed by all of them is one refund.
func TestOneForMany(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	prove(t, c, person)
	ask := client.Ask{RequestID: "rq-p03-1", AccountNumber: person.Account(), IDNumber: person.IDNumber(), Key: "one"}
	references := make([]string, 8)
	var all sync.WaitGroup
	for i := range references {
		all.Go(func() {
			preview, err := c.Preview(t.Context(), ask)
			if err != nil {
				t.Error(err)
				return
			}
			accepted, err := c.Confirm(t.Context(), preview.RefundID)
			if err != nil {
				t.Error(err)
				return
			}
			references[i] = accepted.Reference
		})
	}
	all.Wait()
	for _, r := range references {
		if r == "" || r != references[0] {
			t.Errorf("the references are %q", references)
		}
	}
	if v := w.Exact(); v.Confirmed == 0 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestEventsOfARefund: a preview is followed until the refund that it becomes has its money, and the loop ends by itself.
func TestEventsOfARefund(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	prove(t, c, person)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	preview, err := c.Preview(ctx, client.Ask{RequestID: "rq-p03-1", AccountNumber: person.Account(), IDNumber: person.IDNumber()})
	if err != nil {
		t.Fatal(err)
	}
	var statuses []client.Status
	for now, err := range c.Events(ctx, preview.RefundID) {
		switch {
		case err != nil:
			t.Fatal(err)
		case now.Preview != nil:
			statuses = append(statuses, now.Preview.Status)
			if _, err := c.Confirm(ctx, preview.RefundID); err != nil {
				t.Fatal(err)
			}
		default:
			statuses = append(statuses, now.Refund.Status)
		}
	}
	if len(statuses) < 2 || statuses[0] != client.Previewed || statuses[len(statuses)-1] != client.Completed {
		t.Errorf("the statuses were %q", statuses)
	}
	w.Exact()
}

// TestReceipt: there is a page to print once there is a refund.
func TestReceipt(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	prove(t, c, person)
	ctx := t.Context()
	preview, err := c.Preview(ctx, client.Ask{RequestID: "rq-p03-1", AccountNumber: person.Account(), IDNumber: person.IDNumber()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receipt(ctx, preview.RefundID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("of a preview: %v", err)
	}
	accepted, err := c.Confirm(ctx, preview.RefundID)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := c.Receipt(ctx, preview.RefundID); err != nil || !bytes.Contains(page, []byte(accepted.Reference)) {
		t.Errorf("%q, %v", page, err)
	}
}

// TestBalanceInquiry: six buckets and their sum, under the customer's own number.
func TestBalanceInquiry(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	if _, err := c.BalanceInquiry(t.Context(), person.IDNumber()); !errors.Is(err, client.ErrStepUpRequired) {
		t.Errorf("without a proof: %v", err)
	}
	prove(t, c, person)
	balance, err := c.BalanceInquiry(t.Context(), person.IDNumber())
	if err != nil || balance.ID.Kind != "iqama" || len(balance.Buckets) != 6 {
		t.Fatalf("%+v, %v", balance, err)
	}
	var sum client.Halalas
	for _, b := range balance.Buckets {
		sum += b.Amount
	}
	if sum != balance.Total || sum == 0 {
		t.Errorf("the total is %v, the sum %v", balance.Total, sum)
	}
	if others, err := c.BalanceInquiry(t.Context(), "٣٩٠٠٠٠٠٠٠١"); err != nil || others.ID.Kind != "border" || others.Total != 0 {
		t.Errorf("under a number that p03 paid nothing for: %+v, %v", others, err)
	}
	if _, err := c.BalanceInquiry(t.Context(), "1"); !errors.Is(err, client.ErrIDInvalid) {
		t.Errorf("of no number: %v", err)
	}
}

// TestEndSession: after it the token is nobody's.
func TestEndSession(t *testing.T) {
	w := apitest.Start(t)
	c, person := signIn(t, w, "p03")
	prove(t, c, person)
	if err := c.EndSession(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Profile(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("after the end: %v", err)
	}
	if err := c.EndSession(t.Context()); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("ended twice: %v", err)
	}
}

// TestCounter: a teller walks the path with a customer, from the document to the confirm.
func TestCounter(t *testing.T) {
	w := apitest.Start(t)
	ctx := t.Context()
	teller, err := client.New(w.URLs().Gateway, client.Token(w.Teller("t01").Token()), client.English())
	if err != nil {
		t.Fatal(err)
	}
	person := w.Customer("p01")
	if _, err := teller.Assist(ctx, client.Attendance{IDNumber: person.IDNumber()}); !errors.Is(err, client.ErrMalformedRequest) {
		t.Errorf("nobody saw the document: %v", err)
	}
	begun, err := teller.Assist(ctx, client.Attendance{IDNumber: person.IDNumber(), DocumentSeen: true})
	if err != nil || begun.Customer.Name.EN == "" || len(begun.Overview) == 0 || begun.Challenge == nil {
		t.Fatalf("%+v, %v", begun, err)
	}
	c := teller.Assisted(begun.AssistedSessionID)
	if _, err := c.Profile(ctx); !errors.Is(err, client.ErrStepUpRequired) {
		t.Errorf("before the code: %v", err)
	}
	if proof, err := teller.VerifyAssisted(ctx, begun.AssistedSessionID, person.Code()); err != nil || !proof.Verified {
		t.Fatalf("%+v, %v", proof, err)
	}
	profile, err := c.Profile(ctx)
	if err != nil {
		t.Fatal(err)
	}
	preview, err := c.Preview(ctx, client.Ask{RequestID: "rq-p01-1", AccountNumber: profile.Accounts[0].AccountID, IDNumber: person.IDNumber()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Confirm(ctx, preview.RefundID); err != nil {
		t.Fatal(err)
	}
	if err := teller.EndAssisted(ctx, begun.AssistedSessionID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Profile(ctx); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("after the customer left: %v", err)
	}
	w.Exact()
}

// TestApprovals: a second person decides, under their own token.
func TestApprovals(t *testing.T) {
	w := apitest.Start(t)
	branch, _ := signIn(t, w, "a01")
	same, _ := signIn(t, w, "a02")
	ctx, v := t.Context(), w.Teller("t01").Check("p12")
	ask := func() client.Approval {
		refund := v.Preview("rq-p12-1").RefundID
		v.Confirm(refund).Want(202)
		for a, err := range branch.Approvals(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if a.RefundID == refund {
				return a
			}
		}
		t.Fatal("it awaits nothing")
		return client.Approval{}
	}
	a := ask()
	if a.Amount != 300_00 || a.Maker == nil || a.Maker.Employee != "E100" || a.Note != "seen by both of us" || a.Reasons[0].Code != "identity_check" {
		t.Errorf("awaiting is %+v", a)
	}
	if r, err := branch.Reject(ctx, a.RefundID, "not yet"); err != nil || r.Status != client.Cancelled {
		t.Errorf("rejected is %+v, %v", r, err)
	}
	a = ask()
	if _, err := same.Approve(ctx, a.RefundID, "fine", a.Digest); !errors.Is(err, client.ErrSelfApproval) {
		t.Errorf("the same person: %v", err)
	}
	if _, err := branch.Approve(ctx, a.RefundID, "fine", "0"); !errors.Is(err, client.ErrNotPossible) {
		t.Errorf("something else: %v", err)
	}
	if r, err := branch.Approve(ctx, a.RefundID, "fine", a.Digest); err != nil || r.Reference != a.Reference {
		t.Errorf("approved is %+v, %v", r, err)
	}
	if _, err := branch.Reject(ctx, a.RefundID, "no"); !errors.Is(err, client.ErrAlreadyDecided) {
		t.Errorf("again: %v", err)
	}
	if err := branch.Unblock(ctx, v.IDNumber(), "came by"); err != nil {
		t.Error(err)
	}
	looks := map[string]int{}
	for l, err := range branch.Lookups(ctx) {
		if err != nil || l.Limit != 50 {
			t.Fatalf("%+v, %v", l, err)
		}
		looks[l.Employee] = l.Looks
	}
	if looks["E100"] != 1 || looks["E200"] != 1 || len(looks) != 2 {
		t.Errorf("looked was %v", looks)
	}
}
