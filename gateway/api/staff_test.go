package api_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// TestStaff is the matrix of routes and staff: whatever role somebody has, at whichever branch, in a session of their own,
// another's, an ended one or none, they get what is theirs. Of all the rest they aren't even told whether it is there.
func TestStaff(t *testing.T) {
	everyRoute(t, policies)
	w := apitest.Start(t)
	d := doorOf(t, w)
	t01, t02, t03 := w.Teller("t01"), w.Teller("t02"), w.Teller("t03")
	a01, a03 := w.Approver("a01"), w.Approver("a03")

	// t01 of branch 101 serves p12, and t03 of branch 202 serves p13; of either a refund awaits approval.
	ended := t01.Check("p12")
	ended.End().Want(204)
	own := t01.Check("p12")
	here := own.Preview("rq-p12-1").RefundID
	own.Confirm(here).Want(202)
	elsewhere := t03.Serve("p13")
	for _, request := range []string{"rq-p13-1", "rq-p13-2"} {
		elsewhere.Confirm(elsewhere.Preview(request).RefundID).Want(202)
	}
	others := a03.List()
	others = slices.DeleteFunc(others, func(a banktest.Approval) bool { return a.RefundID == here })
	there, digest := others[0].RefundID, others[0].Digest

	const (
		forbidden = "403 forbidden"
		listed    = "GET /v1/approvals"
		looked    = "GET /v1/lookups"
		unblock   = "POST /v1/unblocks"
	)
	about := func(session, approval string) map[string]string {
		return map[string]string{
			"{assisted}": session, "{approval}": approval, "{digest}": digest, "{refund}": here, "{reference}": own.Refund(here).Reference,
			"{request}": "rq-p12-1", "{account}": own.Account(), "{id}": own.IDNumber(),
		}
	}
	for name, who := range map[string]struct {
		token   string
		session string            // named in the header; empty: none
		fill    map[string]string // whose things they ask for
		want    map[bank.Scope]string
	}{
		"a teller without a session": {
			t02.Token(), "", about(own.ID, here),
			map[bank.Scope]string{"": forbidden, bank.ScopeTeller: notFound, bank.ScopeApprover: forbidden},
		},
		"a colleague in the teller's session": {
			t02.Token(), own.ID, about(own.ID, here),
			map[bank.Scope]string{"": notFound, bank.ScopeTeller: notFound, bank.ScopeApprover: forbidden},
		},
		"a teller of another branch in it": {
			t03.Token(), own.ID, about(own.ID, here),
			map[bank.Scope]string{"": notFound, bank.ScopeTeller: notFound, bank.ScopeApprover: forbidden},
		},
		"the teller in another sign-in": {
			w.Teller("t01").Token(), own.ID, about(own.ID, here),
			map[bank.Scope]string{"": notFound, bank.ScopeTeller: notFound, bank.ScopeApprover: forbidden},
		},
		"the teller in an ended session": {
			t01.Token(), ended.ID, about(ended.ID, here),
			map[bank.Scope]string{"": notFound, bank.ScopeTeller: notFound, bank.ScopeApprover: forbidden},
		},
		"an approver of another branch": {
			a01.Token(), "", about(own.ID, there),
			map[bank.Scope]string{"": forbidden, bank.ScopeTeller: forbidden, bank.ScopeApprover: notFound},
		},
		"an approver with a teller's session": {
			a01.Token(), own.ID, about(own.ID, there),
			map[bank.Scope]string{"": forbidden, bank.ScopeTeller: forbidden, bank.ScopeApprover: notFound},
		},
		"the teller as an approver of another branch": {
			w.Approver("a02").Token(), own.ID, about(own.ID, there),
			map[bank.Scope]string{"": forbidden, bank.ScopeTeller: forbidden, bank.ScopeApprover: notFound},
		},
		"an operator": {
			w.Customer("o01").Token, "", about(own.ID, here),
			map[bank.Scope]string{"": forbidden, bank.ScopeTeller: forbidden, bank.ScopeApprover: forbidden},
		},
		"an operator with a teller's session": {
			w.Customer("o02").Token, own.ID, about(own.ID, here),
			map[bank.Scope]string{"": forbidden, bank.ScopeTeller: forbidden, bank.ScopeApprover: forbidden},
		},
		"a customer with a teller's session": {
			w.Customer("p12").Token, own.ID, about(own.ID, here),
			map[bank.Scope]string{"": forbidden, bank.ScopeTeller: forbidden, bank.ScopeApprover: forbidden},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			send := func(route string, p policy, fill map[string]string) answer {
				a := p.ask(route, fill)
				if a.token = who.token; who.session != "" {
					a.header.Set("Assisted-Session", who.session)
				}
				return d.ask(a)
			}
			for route, ps := range policies {
				for _, p := range ps {
					want := who.want[p.staff]
					switch {
					case p.none != "":
						continue
					case route == "POST /v1/assisted-sessions" && want == notFound:
						continue // they may, of whoever comes
					case slices.Contains(notAtTheCounter, route):
						want = forbidden
					}
					got := send(route, p, who.fill)
					if route == listed && want == notFound {
						hidden(t, got.want(200), there, others[0].Reference)
						continue
					}
					if route == looked && want == notFound {
						hidden(t, got.want(200), "E102", `"202"`, "1900000041", "p12")
						continue
					}
					wantAnswer(t, got, want)
					if want != notFound || route == unblock {
						continue
					}
					never := who.fill
					if p.unlike != "" {
						never = without(who.fill, p.unlike)
					}
					if absent := send(route, p, never); blank(absent.body) != blank(got.body) || !sameHeaders(absent, got) {
						t.Errorf("%s: somebody else's is told from one that never was:\n%s\n%s", route, got.body, absent.body)
					}
				}
			}
		})
	}
	// After all that everything is as it was.
	if n := len(a03.List()); n != 2 {
		t.Errorf("%d await approval", n)
	}
	own.Do(http.MethodGet, "/v1/profile", nil).Want(200)
	a01.Approve(here, "seen", a01.Awaiting(here).Digest).Want(200)
	a03.Approve(there, "seen", digest).Want(200)
	w.Exact()
}
