package ops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/ops"
	"github.com/istirdad/istirdad/otp"
)

// drawer is a store with one refund, of which there is this on record.
type drawer struct {
	counter
	refund     gateway.Refund
	unreadable bool
	witnesses  []gateway.Witness
	lookup     *bank.Lookup
	about      []string // what messages were asked for
	taken      []gateway.Taking
	trouble    map[string]error // by what is asked
}

func (d *drawer) List(_ context.Context, state gateway.State, p bank.Page) ([]gateway.Listed, string, error) {
	return []gateway.Listed{{Refund: d.refund, Unreadable: d.unreadable}}, fmt.Sprintf("after %d of %s", p.Limit, state), d.trouble["List"]
}

func (d *drawer) Lookup(_ context.Context, id string) (gateway.Refund, error) {
	if id != d.refund.ID {
		return gateway.Refund{}, gateway.ErrNotFound
	}
	if d.unreadable {
		return d.refund, fmt.Errorf("no key: %w", gateway.ErrUnreadable)
	}
	return d.refund, d.trouble["Lookup"]
}

func (d *drawer) Events(context.Context, string) ([]gateway.Event, error) {
	return []gateway.Event{{To: gateway.Queued, At: d.refund.CreatedAt}}, d.trouble["Events"]
}

func (d *drawer) Witnesses(context.Context, string) ([]gateway.Witness, error) {
	return d.witnesses, d.trouble["Witnesses"]
}

func (d *drawer) SMS(_ context.Context, about []string, _ int) ([]otp.Sent, error) {
	d.about = about
	return nil, d.trouble["SMS"]
}

func (d *drawer) LookedUp(_ context.Context, id string) (bank.Lookup, error) {
	if d.lookup == nil || id != d.lookup.ID {
		return bank.Lookup{}, errors.Join(gateway.ErrNotFound, d.trouble["LookedUp"])
	}
	return *d.lookup, d.trouble["LookedUp"]
}

func (d *drawer) Takings(context.Context, string) ([]gateway.Taking, error) {
	return nil, d.trouble["Takings"]
}

func (d *drawer) RecordTaking(_ context.Context, k gateway.Taking) error {
	d.taken = append(d.taken, k)
	return d.trouble["RecordTaking"]
}

func call(t *testing.T, d *drawer, path, bearer string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	ops.New(quiet(ops.Config{Store: d})).ServeHTTP(w, r)
	return w
}

func one() *drawer {
	return &drawer{refund: gateway.Refund{
		ID: "r-1", Reference: "RFK5EWJTN6GVB8STYT", State: gateway.Pending, CreatedAt: time.Now(), Challenge: "CH",
	}}
}

// TestRefundsAreForOperators: and nobody else learns whether there is such a refund.
func TestRefundsAreForOperators(t *testing.T) {
	for _, path := range []string{"/ops/api/refunds", "/ops/api/refunds/r-1", "/ops/api/refunds/r-9", "/ops/api/refunds/r-1/evidence", "/ops/api/refunds/r-9/evidence"} {
		for bearer, want := range map[string]int{"": 401, "forged": 401, "unknown": 503, "refunds": 403, "teller": 403, "approver": 403} {
			d := one()
			if w := call(t, d, path, bearer); w.Code != want || len(d.taken) != 0 {
				t.Errorf("%s by %q: %d, want %d", path, bearer, w.Code, want)
			}
		}
	}
}

func TestRefundsAsked(t *testing.T) {
	for path, want := range map[string]int{
		"/ops/api/refunds": 200, "/ops/api/refunds?limit=100": 200, "/ops/api/refunds?state=manual": 200,
		"/ops/api/refunds?limit=0": 400, "/ops/api/refunds?limit=101": 400, "/ops/api/refunds?limit=": 400, "/ops/api/refunds?limit=x": 400,
		"/ops/api/refunds?state=lost": 400, "/ops/api/refunds/r-1": 200, "/ops/api/refunds/r-9": 404, "/ops/api/refunds/r-9/evidence": 404,
	} {
		if w := call(t, one(), path, "operator"); w.Code != want || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	if w := call(t, one(), "/ops/api/refunds?state=manual&limit=7", "operator"); !strings.Contains(w.Body.String(), `"next_cursor":"after 7 of manual"`) {
		t.Errorf("%s", w.Body)
	}
}

// TestRefundsInTrouble: whatever part of the store fails, nothing is told but to try again; and a pack that nobody could put
// on record is given to nobody.
func TestRefundsInTrouble(t *testing.T) {
	secret := errors.New("password=secret")
	counter := &bank.Lookup{ID: "visit"}
	for path, parts := range map[string][]string{
		"/ops/api/refunds":              {"List"},
		"/ops/api/refunds/r-1":          {"Lookup", "Events"},
		"/ops/api/refunds/r-1/evidence": {"Lookup", "Events", "Witnesses", "SMS", "LookedUp", "Takings", "RecordTaking"},
	} {
		for _, part := range parts {
			d := one()
			d.refund.Origin, d.lookup = gateway.Origin{Channel: gateway.Counter, Session: "visit"}, counter
			d.trouble = map[string]error{part: secret}
			w := call(t, d, path, "operator")
			if w.Code != 503 || strings.TrimSpace(w.Body.String()) != `{"code":"try_again","status":503}` {
				t.Errorf("%s without %s: %d %s", path, part, w.Code, w.Body)
			}
		}
	}
	d := one()
	d.trouble = map[string]error{"List": bank.ErrCursor}
	if w := call(t, d, "/ops/api/refunds?cursor=x", "operator"); w.Code != 400 {
		t.Errorf("a cursor that was never given out: %d", w.Code)
	}
	d = one()
	d.witnesses = []gateway.Witness{{Version: 2, Exchange: gateway.Exchange{Call: "submit"}}} // which nobody can have signed
	if w := call(t, d, "/ops/api/refunds/r-1/evidence", "operator"); w.Code != 500 || len(d.taken) != 0 {
		t.Errorf("what isn't signed: %d %s", w.Code, w.Body)
	}
}

// TestUnreadable: one that can't be read stands where it stands, and says so; there is no evidence of it.
func TestUnreadable(t *testing.T) {
	d := one()
	d.unreadable = true
	for _, path := range []string{"/ops/api/refunds", "/ops/api/refunds/r-1"} {
		w := call(t, d, path, "operator")
		body := w.Body.String()
		if w.Code != 200 || !strings.Contains(body, `"state":"pending"`) ||
			!strings.Contains(body, `"unreadable":true`) || !strings.Contains(body, `"payer":null,"beneficiary":null,"to_account":null`) {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
	}
	w := call(t, d, "/ops/api/refunds/r-1/evidence", "operator")
	if w.Code != 409 || strings.TrimSpace(w.Body.String()) != `{"code":"not_possible","status":409}` || len(d.taken) != 0 {
		t.Errorf("its evidence: %d %s", w.Code, w.Body)
	}
	if w := call(t, one(), "/ops/api/refunds", "operator"); strings.Contains(w.Body.String(), "unreadable") {
		t.Errorf("of one that can be read: %s", w.Body)
	}
}

// TestEvidenceTaken: who took it is on record, with what; and messages are looked for by reference and challenge.
func TestEvidenceTaken(t *testing.T) {
	d := one()
	w := call(t, d, "/ops/api/refunds/r-1/evidence", "operator")
	if w.Code != 200 || len(d.taken) != 1 || d.taken[0].RefundID != "r-1" || d.taken[0].By.ID != "o01" || d.taken[0].By.Role != gateway.RoleOperator {
		t.Fatalf("%d, taken by %+v", w.Code, d.taken)
	}
	if strings.Join(d.about, " ") != "RFK5EWJTN6GVB8STYT CH" {
		t.Errorf("messages about %q", d.about)
	}
	d.refund.Challenge = ""
	if call(t, d, "/ops/api/refunds/r-1/evidence", "operator"); strings.Join(d.about, " ") != "RFK5EWJTN6GVB8STYT" {
		t.Errorf("messages about %q", d.about)
	}
}
