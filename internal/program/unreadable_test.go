package program_test

import (
	"bytes"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/sqlite"
	"github.com/istirdad/istirdad/internal/seal"
)

// TestUnreadable: a refund of which the key is lost takes no other from the approvers, and operators hear of it: in their
// list, in a metric and in the log, which names it and nobody.
func TestUnreadable(t *testing.T) {
	r := newRig(t)
	otherKey, err := seal.New("lost", bytes.Repeat([]byte{8}, seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	other, err := sqlite.Open(t.Context(), filepath.Join(r.dir, "gateway.db"), otherKey, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	waits := func(a *gateway.Acceptance) {
		a.Rules.Holds, a.Rules.ApprovalExpires = []gateway.Mark{gateway.AboveLimit}, time.Now().Add(time.Hour)
	}
	r.open()
	var want []string
	lost := ""
	for n := range 5 {
		if n == 2 {
			lost = recorded(t, other, n, time.Now(), waits).ID
			continue
		}
		want = append(want, recorded(t, r.store, n, time.Now(), waits).ID)
	}

	type page struct {
		Items []struct {
			RefundID   string `json:"refund_id"`
			State      string
			Unreadable bool
		}
		Next *string `json:"next_cursor"`
	}
	read := func(by *banktest.Customer, path string) (all page) {
		t.Helper()
		for cursor := ""; len(all.Items) < 10; {
			var p page
			by.Do(http.MethodGet, path+"?limit=2&cursor="+cursor, nil).Want(http.StatusOK).JSON(&p)
			if all.Items = append(all.Items, p.Items...); p.Next == nil {
				return all
			}
			cursor = *p.Next
		}
		t.Fatalf("%s has no end", path)
		return all
	}
	var got []string
	for _, approval := range read(r.world.Customer("a03").Via(r.channel), "/v1/approvals").Items {
		got = append(got, approval.RefundID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("approvers see %v, want %v", got, want)
	}
	operator := r.world.Customer("o01").Via(r.ops)
	listed := read(operator, "/ops/api/refunds").Items
	for _, refund := range listed {
		if refund.Unreadable != (refund.RefundID == lost) || refund.State != "awaiting_approval" {
			t.Errorf("operators see %+v", refund)
		}
	}
	if len(listed) != 5 {
		t.Errorf("operators see %d", len(listed))
	}
	operator.Do(http.MethodGet, "/ops/api/refunds/"+lost, nil).Want(http.StatusOK)
	operator.Do(http.MethodGet, "/ops/api/refunds/"+lost+"/evidence", nil).Want(http.StatusConflict, "not_possible")
	operator.Do(http.MethodGet, "/ops/api/summary", nil).Want(http.StatusOK)
	if _, scrape := r.ask("/metrics"); series(scrape, "istirdad_refunds_unreadable") != "1" {
		t.Errorf("%s can't be read, want 1", series(scrape, "istirdad_refunds_unreadable"))
	}
	var said []string
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, `"level":"ERROR"`) {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], `"refund":"`+lost+`"`) || strings.Contains(said[0], "1000000008") || strings.Contains(said[0], "608010167519999") {
		t.Errorf("the log says %s", said)
	}
}
