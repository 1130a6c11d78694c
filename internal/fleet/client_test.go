package fleet_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/fleet"
)

// counts of answers by status, code, and whether they are replays.
func tally(answers []*banktest.Response) map[string]int {
	counts := map[string]int{}
	for _, r := range answers {
		kind := "no answer"
		if r != nil {
			kind = strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Code()))
			if r.Replayed() {
				kind += " replay"
			}
		}
		counts[kind]++
	}
	return counts
}

// together makes the same call n times at once, over all gateways.
func together(w *banktest.World, n int, call func(w *banktest.World) *banktest.Response) []*banktest.Response {
	answers := make([]*banktest.Response, n)
	w.Together(n, func(i int, w *banktest.World) { answers[i] = call(w) })
	return answers
}

// TestF47SameKey: a preview that is asked for under one key, and its confirm, are one refund however often they come: in a
// row, 64 at once, at whichever gateway.
func TestF47SameKey(t *testing.T) {
	t.Parallel()
	f := fleet.Start(t, fleet.Options{})
	c := f.World.Customer("p03")
	c.Prove()
	ask := func(w *banktest.World) *banktest.Response {
		return c.In(w).Do(http.MethodPost, "/v1/refunds",
			object{"request_id": "rq-p03-1", "account_number": c.Account(), "id_number": c.IDNumber()}, "Idempotency-Key", "one")
	}
	previews := together(f.World, 64, ask)
	counts := tally(previews)
	if counts["201"] != 1 || counts["201"]+counts["201 replay"]+counts["409 idempotency_in_progress"] != 64 {
		t.Errorf("64 previews under one key: %v", counts)
	}
	var first banktest.Preview
	ask(f.World).Want(http.StatusCreated).JSON(&first)
	for _, r := range previews {
		var p banktest.Preview
		if r != nil && r.Status == http.StatusCreated {
			if r.JSON(&p); p.RefundID != first.RefundID {
				t.Errorf("previews %s and %s under one key", p.RefundID, first.RefundID)
			}
		}
	}
	confirm := func(w *banktest.World) *banktest.Response {
		return c.In(w).Do(http.MethodPost, "/v1/refunds/"+first.RefundID+"/confirm", nil)
	}
	if counts := tally(together(f.World, 64, confirm)); fmt.Sprint(counts) != fmt.Sprint(map[string]int{"202": 1, "202 replay": 63}) {
		t.Errorf("64 confirms: %v", counts)
	}
	for range 4 { // and one after the other, at each gateway in turn
		if r := confirm(f.World).Want(http.StatusAccepted); !r.Replayed() {
			t.Error("a confirm again is no replay")
		}
	}
	c.Await(first.RefundID, "credited")
	if v := f.World.Exact(); v.Effects != 1 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestF48NewKey: the same payment under a new key is refused once it is being refunded, whichever gateway is asked, and
// of many previews that were made before, one confirm wins.
func TestF48NewKey(t *testing.T) {
	t.Parallel()
	f := fleet.Start(t, fleet.Options{})
	c := f.World.Customer("p03")
	c.Prove()
	ids := make([]string, 64)
	f.World.Together(len(ids), func(i int, w *banktest.World) { ids[i] = c.In(w).Preview("rq-p03-1").RefundID })
	answers := make([]*banktest.Response, len(ids))
	f.World.Together(len(ids), func(i int, w *banktest.World) {
		answers[i] = c.In(w).Do(http.MethodPost, "/v1/refunds/"+ids[i]+"/confirm", nil)
	})
	if counts := tally(answers); fmt.Sprint(counts) != fmt.Sprint(map[string]int{"202": 1, "409 refund_exists": 63}) {
		t.Errorf("64 confirms of one request's previews: %v", counts)
	}
	for range f.Gateways {
		var refused struct {
			Links map[string]string `json:"links"`
		}
		c.AskFor("rq-p03-1").Want(http.StatusConflict, "refund_exists").JSON(&refused)
		var known struct {
			State string `json:"state"`
		}
		c.Do(http.MethodGet, refused.Links["refund"], nil).Want(http.StatusOK).JSON(&known)
	}
	if v := f.World.Exact(); v.Confirmed != 1 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestF49ClientDisconnects: the connection breaks before, within and after each step of the path, and whoever tries the
// step again comes through. A confirm whose answer was lost is answered as a replay, and there is one refund.
func TestF49ClientDisconnects(t *testing.T) {
	t.Parallel()
	f := fleet.Start(t, fleet.Options{Crowd: 3})
	net := faultnet.StartTest(t, strings.TrimPrefix(f.Gateways[0].Channel, "http://"))
	for i, fault := range []faultnet.Fault{faultnet.ResetBefore, faultnet.ResetAfter, faultnet.ResetWithin} {
		t.Run(fault.String(), func(t *testing.T) {
			c := f.World.Customer(fmt.Sprintf("c%05d", i+1))
			shaky := c.Via("http://" + net.Addr())
			// broken makes a call whose connection breaks, and looks that it did.
			broken := func(path string, body any, header ...string) {
				t.Helper()
				happened := net.Once(faultnet.Containing("POST "+path), fault)
				if r, err := shaky.Try(http.MethodPost, path, body, header...); err == nil {
					t.Errorf("%s was answered %d", path, r.Status)
				}
				<-happened
			}
			broken("/v1/otp/challenges", object{"purpose": "profile"})
			c.Prove()
			asked := object{"request_id": "rq-" + c.User() + "-1", "account_number": c.Account(), "id_number": c.IDNumber()}
			broken("/v1/refunds", asked, "Idempotency-Key", "one")
			var p banktest.Preview
			c.Do(http.MethodPost, "/v1/refunds", asked, "Idempotency-Key", "one").Want(http.StatusCreated).JSON(&p)
			confirm := "/v1/refunds/" + p.RefundID + "/confirm"
			broken(confirm, nil)
			r := c.Do(http.MethodPost, confirm, nil).Want(http.StatusAccepted)
			if recorded := fault != faultnet.ResetBefore; r.Replayed() != recorded {
				t.Errorf("the confirm again is a replay: %v, want %v", r.Replayed(), recorded)
			}
			c.Await(p.RefundID, "credited")
		})
	}
	if v := f.World.Exact(); v.Effects != 3 || v.Confirmed != 3 {
		t.Errorf("the referee says %+v", v)
	}
}
