package sandbox_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/sandbox"
)

// tell hands an answer in, as a test with a gateway of its own does.
func tell(t *testing.T, w *banktest.World, answers ...sandbox.Answer) {
	t.Helper()
	control(t, w, http.MethodPost, "/referee/answers", object{"items": answers}, http.StatusNoContent)
}

// violated fails the test unless the referee finds just so many lost and lies, and says of what.
func violated(t *testing.T, w *banktest.World, lost, lies int, about string) {
	t.Helper()
	v := w.Referee()
	if v.Verdict != "violated" || v.Lost != lost || v.Lies != lies || v.Doubles != 0 {
		t.Errorf("the referee says %+v, want %d lost and %d lies", v, lost, lies)
	}
	if !strings.Contains(strings.Join(v.Details, "\n"), about) {
		t.Errorf("the details don't tell of %q: %q", about, v.Details)
	}
}

// TestRefereeObjects: the referee is worth something only if it can say violated.
func TestRefereeObjects(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := w.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	w.Fault(banktest.Stop, banktest.OnSubmit)
	c.Confirm(id).Want(202)
	reference := c.Refund(id).Reference
	if v := w.Exact(); v.Confirmed != 1 || v.Effects != 0 || v.Unfinished != 1 {
		t.Errorf("with the core stopped the referee says %+v", v)
	}

	// Told that the money is there, while the core has never heard of it.
	tell(t, w, sandbox.Answer{RefundID: id, Reference: reference, Status: "completed", State: "credited"})
	violated(t, w, 0, 1, "lie: "+reference+" was told completed")

	w.ClearFaults()
	c.Await(id, "credited")
	violated(t, w, 0, 1, "lie: "+reference+" was told completed") // the books have caught up; it was a lie all the same
	w.Reset()

	c.Prove()
	id = c.Preview("rq-p03-1").RefundID
	c.Confirm(id).Want(202)
	reference = c.Await(id, "credited").Reference
	tell(t, w, sandbox.Answer{RefundID: id, Reference: reference, Status: "completed", State: "credited"})
	w.Exact()

	// Told that it was refused, while it was paid; and the other final statuses that the books contradict.
	for _, status := range []string{"rejected", "cancelled", "visit_branch"} {
		tell(t, w, sandbox.Answer{RefundID: id, Reference: reference, Status: status})
	}
	violated(t, w, 0, 3, "was told rejected")
	w.Reset()

	// Told a reference that isn't the refund's.
	c.Prove()
	id = c.Preview("rq-p03-1").RefundID
	c.Confirm(id).Want(202)
	tell(t, w, sandbox.Answer{RefundID: id, Reference: "RF0123456789ABCDEF", Status: "processing"})
	violated(t, w, 0, 1, "told RF0123456789ABCDEF, recorded "+reference)
	w.Reset()

	// Answered 202, and no row.
	tell(t, w, sandbox.Answer{RefundID: "01a20472-cd33-7412-b4e0-5a752510a5e1", Reference: "RF0123456789ABCDEF", Status: "processing"})
	violated(t, w, 1, 0, "lost: RF0123456789ABCDEF")
	for _, a := range []sandbox.Answer{
		{RefundID: "x", Reference: "RF0123456789ABCDEF", Status: "Completed"}, {RefundID: "x", Reference: "RF0123456789ABCDEF"},
		{Reference: "RF0123456789ABCDEF", Status: "completed"}, {RefundID: "x", Status: "completed"},
	} {
		control(t, w, http.MethodPost, "/referee/answers", object{"items": []sandbox.Answer{a}}, http.StatusBadRequest)
	}
	if v := w.Referee(); v.Confirmed != 1 {
		t.Errorf("of one answer that was handed in %d are counted", v.Confirmed)
	}
}

// TestRefereeListens: what was answered 202 counts, what was refused does not, replays count once.
func TestRefereeListens(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := w.Customer("p09")
	c.Prove()
	first, second := c.Preview("rq-p09-1").RefundID, c.Preview("rq-p09-1").RefundID
	for range 3 {
		c.Do(http.MethodPost, "/v1/refunds/"+first+"/confirm", nil).Want(202)
	}
	c.Do(http.MethodPost, "/v1/refunds/"+second+"/confirm", nil).Want(409, "refund_exists")
	c.Do(http.MethodPost, "/v1/refunds/"+first+"/confirm", nil, "Authorization", "Bearer nobody").Want(401)
	c.Await(first, "credited")
	if v := w.Exact(); v.Confirmed != 1 || v.Effects != 1 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestWorldKept: with a folder, a world that is stopped and started goes on where it was.
func TestWorldKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := apitest.Start(t, banktest.Dir(dir), banktest.Crowd(1))
	c, p14 := w.Customer("c00001"), w.Customer("p14")
	for _, customer := range []*banktest.Customer{c, p14} {
		customer.Prove()
	}
	credited, under := c.Preview("rq-c00001-1").RefundID, p14.Preview("rq-p14-1").RefundID
	c.Confirm(credited).Want(202)
	c.Await(credited, "credited")
	p14.Confirm(under).Want(202)
	p14.Await(under, "in_doubt")
	before := c.Do(http.MethodGet, "/v1/refunds/"+credited, nil).Want(200)
	people := control(t, w, http.MethodGet, "/people", nil, 200)
	w.Close()
	cutShort(t, filepath.Join(dir, "referee.jsonl"))

	w = apitest.Start(t, banktest.Dir(dir), banktest.Crowd(1), banktest.At(w.URLs()))
	// The tokens still hold; the proof may be forgotten, and is.
	c, p14 = c.In(w), p14.In(w)
	if after := c.Do(http.MethodGet, "/v1/refunds/"+credited, nil).Want(200); string(after.Body) != string(before.Body) {
		t.Errorf("the refund is %s, and was %s", after.Body, before.Body)
	}
	c.Do(http.MethodGet, "/v1/profile", nil).Want(403, "step_up_required")
	p14.Await(under, "credited")
	if v := w.Exact(); v.Confirmed != 2 || v.Effects != 2 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
	var was, is struct {
		Items []sandbox.Person `json:"items"`
	}
	people.JSON(&was)
	control(t, w, http.MethodGet, "/people", nil, 200).JSON(&is)
	if len(is.Items) != len(was.Items) {
		t.Errorf("there are %d people, and were %d", len(is.Items), len(was.Items))
	}
	c.Prove()
	c.AskFor("rq-c00001-1").Want(409, "refund_exists")
	second := c.Preview("rq-c00001-2").RefundID
	c.Confirm(second).Want(202)
	c.Await(second, "credited")
	if v := w.Exact(); v.Confirmed != 3 || v.Effects != 3 {
		t.Errorf("the referee says %+v", v)
	}
}

// cutShort leaves the end of a line that a kill kept from being written whole. Nobody was ever answered by it.
func cutShort(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(`{"refund_id":"01a20472-cd33-7412-b4e0-5a7525`); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedAnswers: a line in the middle that can't be read is damage, and a referee that forgot would be a liar.
func TestDamagedAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "referee.jsonl"), []byte("{\"refund_id\":\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w, err := sandbox.Start(t.Context(), sandbox.Options{Dir: dir}); err == nil {
		w.Close()
		t.Error("a world starts over damaged answers")
	}
}
