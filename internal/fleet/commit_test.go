package fleet_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"

	"github.com/istirdad/istirdad/internal/faultnet"
	"github.com/istirdad/istirdad/internal/fleet"
)

// TestF34CommitAnswerLost: the network loses a confirm's COMMIT, or its answer. The customer is answered 202, at once or
// when the confirm is repeated; there is one row, one effect and one credit.
func TestF34CommitAnswerLost(t *testing.T) {
	t.Parallel()
	var net *faultnet.Proxy
	f := fleet.Start(t, fleet.Options{Gateways: 1, Crowd: 5, Database: func(address string) string {
		net = faultnet.StartTest(t, address)
		return net.Addr()
	}})
	// A write travels with its COMMIT, which goes by the digest of its text.
	digest := sha256.Sum256([]byte("commit"))
	commit := []byte("stmt_" + hex.EncodeToString(digest[:24]))
	for i, fault := range []faultnet.Fault{
		faultnet.ResetBefore, faultnet.SilentBefore, faultnet.ResetAfter, faultnet.SilentAfter, faultnet.ResetWithin,
	} {
		t.Run(fault.String(), func(t *testing.T) {
			c := f.World.Customer(fmt.Sprintf("c%05d", i+1))
			c.Prove()
			id := c.Preview("rq-" + c.User() + "-1").RefundID
			happened := net.Once(func(request []byte) bool {
				return bytes.Contains(request, commit) && bytes.Contains(request, []byte(id))
			}, fault)
			first := c.Do(http.MethodPost, "/v1/refunds/"+id+"/confirm", nil)
			select {
			case <-happened:
			default:
				t.Fatal("nothing was lost")
			}
			if first.Status != http.StatusAccepted {
				first.Want(http.StatusServiceUnavailable, "try_again")
			}
			t.Logf("answered %d", first.Status)
			again := c.Do(http.MethodPost, "/v1/refunds/"+id+"/confirm", nil).Want(http.StatusAccepted)
			recorded := fault != faultnet.ResetBefore && fault != faultnet.SilentBefore
			if again.Replayed() != (recorded || first.Status == http.StatusAccepted) {
				t.Errorf("the confirm again is a replay: %v", again.Replayed())
			}
			c.Await(id, "credited")
			if n := f.SQL(fmt.Sprintf(`SELECT count(*) FROM refunds WHERE id = '%s'`, id)); n != "1" {
				t.Errorf("%s rows", n)
			}
		})
	}
	if v := f.World.Exact(); v.Effects != 5 || v.Confirmed != 5 {
		t.Errorf("the referee says %+v", v)
	}
}
