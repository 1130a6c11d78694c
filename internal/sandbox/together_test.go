package sandbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// tally counts answers by status, code, and whether they are replays.
func tally(answers []*banktest.Response) map[string]int {
	counts := map[string]int{}
	for _, r := range answers {
		kind := "no answer"
		if r != nil {
			kind = fmt.Sprint(r.Status)
			if r.Code() != "" {
				kind += " " + r.Code()
			}
			if r.Replayed() {
				kind += " replay"
			}
		}
		counts[kind]++
	}
	return counts
}

// together makes the same call n times at once.
func together(w *banktest.World, n int, call func(i int, w *banktest.World) *banktest.Response) []*banktest.Response {
	answers := make([]*banktest.Response, n)
	w.Together(n, func(i int, w *banktest.World) { answers[i] = call(i, w) })
	return answers
}

func wantTally(t *testing.T, answers []*banktest.Response, want map[string]int) {
	t.Helper()
	if got := tally(answers); fmt.Sprint(got) != fmt.Sprint(want) { // maps print in the order of their keys
		t.Errorf("the answers are %v, want %v", got, want)
	}
}

// TestConfirmTogether: 64 confirms of one refund at once are one refund: one first answer, 63 replays, one effect in
// the core's book, one credit.
func TestConfirmTogether(t *testing.T) {
	t.Parallel()
	for _, of := range []struct{ user, request, code string }{
		{"p03", "rq-p03-1", "none"},
		{"p06", "rq-p05-1", "code"},
		{"p13", "rq-p13-1", "code"}, // more than half of the day's limit: a second one would exceed it
	} {
		t.Run(of.user, func(t *testing.T) { everywhere(t, 0, confirmTogether(of.user, of.request, of.code)) })
	}
}

func confirmTogether(user, request, code string) func(*testing.T, *banktest.World, int) {
	return func(t *testing.T, w *banktest.World, rounds int) {
		for range rounds {
			c := w.Customer(user)
			c.Prove()
			preview := c.Preview(request)
			var body any
			if preview.ConfirmRequires != code {
				t.Fatalf("the confirm requires %q, want %q", preview.ConfirmRequires, code)
			} else if code == "code" {
				body = c.RefundCode(preview.RefundID)
			}
			answers := together(w, 64, func(_ int, w *banktest.World) *banktest.Response {
				return c.In(w).Insist(http.MethodPost, "/v1/refunds/"+preview.RefundID+"/confirm", body)
			})
			wantTally(t, answers, map[string]int{"202": 1, "202 replay": 63})
			oneRefund(t, w, c, preview.RefundID)
			w.Reset()
		}
	}
}

// oneRefund waits for the money and looks that it came once.
func oneRefund(t *testing.T, w *banktest.World, c *banktest.Customer, id string) {
	t.Helper()
	refund := c.Await(id, "credited")
	if got := submissions(w, refund.Reference); got != "effect" {
		t.Errorf("the core was sent: %s", got)
	}
	if v := w.Exact(); v.Confirmed != 1 || v.Effects != 1 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestPreviewsTogether: several previews of one request may live. The first confirm wins.
func TestPreviewsTogether(t *testing.T) { everywhere(t, 0, previewsTogether) }

func previewsTogether(t *testing.T, w *banktest.World, rounds int) {
	for range rounds {
		c := w.Customer("p03")
		c.Prove()
		ids := make([]string, 64)
		w.Together(len(ids), func(i int, w *banktest.World) { ids[i] = insist(c.In(w), "rq-p03-1") })
		answers := together(w, len(ids), func(i int, w *banktest.World) *banktest.Response {
			return c.In(w).Insist(http.MethodPost, "/v1/refunds/"+ids[i]+"/confirm", nil)
		})
		wantTally(t, answers, map[string]int{"202": 1, "409 refund_exists": 63})
		winner := slices.IndexFunc(answers, func(r *banktest.Response) bool { return r != nil && r.Status == http.StatusAccepted })
		if winner < 0 {
			t.FailNow()
		}
		oneRefund(t, w, c, ids[winner])
		w.Reset()
	}
}

// TestRightCodesTogether: a code is right once, however many enter it at once.
func TestRightCodesTogether(t *testing.T) { everywhere(t, 0, rightCodesTogether) }

func rightCodesTogether(t *testing.T, w *banktest.World, rounds int) {
	for range rounds {
		c := w.Customer("p01")
		verify := "/v1/otp/challenges/" + c.Challenge(object{"purpose": "profile"}) + "/verify"
		body := object{"code": c.Code()}
		answers := together(w, 64, func(_ int, w *banktest.World) *banktest.Response {
			return c.In(w).Insist(http.MethodPost, verify, body)
		})
		wantTally(t, answers, map[string]int{"200": 1, "409 code_used": 63})
		c.Insist(http.MethodGet, "/v1/profile", nil).Want(200)
		w.Forgive("p01")
	}
}

// TestWrongCodesTogether: of 200 wrong codes at once three are compared, of the next 200 two, and then the customer is
// kept out, with the right code too. A confirm that needs no code goes on.
func TestWrongCodesTogether(t *testing.T) { everywhere(t, embedded.rounds, wrongCodesTogether) }

func wrongCodesTogether(t *testing.T, w *banktest.World, rounds int) {
	confirmed := 0
	for round := range rounds {
		c := w.Customer(fmt.Sprintf("c%05d", round+1))
		c.Prove()
		var previews []banktest.Preview
		for i := range 3 {
			previews = append(previews, c.Preview(fmt.Sprintf("rq-%s-%d", c.User(), i+1)))
		}
		var right map[string]string
		counted := true
		for i, most := range []int{3, 2} {
			if counted {
				right = c.RefundCode(previews[i].RefundID)
				counted = wantCompared(t, guesses(w, c, "/v1/refunds/"+previews[i].RefundID+"/confirm", right), most)
			}
		}
		if counted {
			isLocked(t, c, previews[1].RefundID, right)
			c.Insist(http.MethodPost, "/v1/refunds/"+previews[2].RefundID+"/confirm", nil).Want(202)
			c.Await(previews[2].RefundID, "credited")
			confirmed++
		}
		w.Forgive(c.User())
		w.Customer(c.User()).Prove()
	}
	if v := w.Exact(); v.Confirmed != confirmed || v.Effects != confirmed {
		t.Errorf("the referee says %+v", v)
	}
}

// wantCompared: of many wrong codes at once just so many are compared. All others are refused without: the tries were
// used up, or the customer blocked. Where the house was so full that some were sent away, fewer may have been told of
// their comparing, never more, and what comes next can't be foretold: then it returns false.
func wantCompared(t *testing.T, answers []*banktest.Response, most int) (all bool) {
	t.Helper()
	counts := tally(answers)
	compared, sentAway := counts["422 code_wrong"], counts["503 try_again"]
	refused := counts["410 challenge_gone"] + counts["423 locked"]
	if compared > most || compared+sentAway < most || compared+sentAway+refused != len(answers) {
		t.Errorf("of %d wrong codes: %v, want %d compared", len(answers), counts, most)
	}
	return sentAway == 0
}

// guesses confirms with 200 different codes at once, none of them right.
func guesses(w *banktest.World, c *banktest.Customer, path string, right map[string]string) []*banktest.Response {
	return together(w, 200, func(i int, w *banktest.World) *banktest.Response {
		code := fmt.Sprintf("%06d", i*4999)
		if code == right["code"] {
			code = notThe(code)
		}
		return c.In(w).Do(http.MethodPost, path, object{"challenge_id": right["challenge_id"], "code": code})
	})
}

// isLocked: five wrong codes in a row keep a customer out for half an hour, whatever they come with.
func isLocked(t *testing.T, c *banktest.Customer, refundID string, right map[string]string) {
	t.Helper()
	for path, body := range map[string]any{
		"/v1/otp/challenges": object{"purpose": "profile"},
		"/v1/otp/challenges/" + right["challenge_id"] + "/resend":        nil,
		"/v1/otp/challenges/" + right["challenge_id"] + "/verify":        object{"code": right["code"]},
		"/v1/otp/challenges/" + "AAAAAAAAAAAAAAAAAAAAAAAAAA" + "/verify": object{"code": right["code"]},
		"/v1/refunds/" + refundID + "/confirm":                           right,
	} {
		var locked struct {
			RetryAfter int `json:"retry_after"`
		}
		r := c.Do(http.MethodPost, path, body)
		r.Want(423, "locked").JSON(&locked)
		if locked.RetryAfter < 25*60 || locked.RetryAfter > 30*60 || r.Header.Get("Retry-After") != fmt.Sprint(locked.RetryAfter) {
			t.Errorf("%s: come back in %d s, header %q", path, locked.RetryAfter, r.Header.Get("Retry-After"))
		}
	}
}

// TestWrongProfileCodesTogether: the same at the door, where a wrong code is all that a stranger has.
func TestWrongProfileCodesTogether(t *testing.T) { everywhere(t, 0, wrongProfileCodesTogether) }

func wrongProfileCodesTogether(t *testing.T, w *banktest.World, rounds int) {
	for range rounds {
		c := w.Customer("p02")
		challenge := c.Challenge(object{"purpose": "profile"})
		code := c.Code()
		answers := together(w, 200, func(i int, w *banktest.World) *banktest.Response {
			guess := fmt.Sprintf("%06d", i)
			if guess == code {
				guess = notThe(guess)
			}
			return c.In(w).Do(http.MethodPost, "/v1/otp/challenges/"+challenge+"/verify", object{"code": guess})
		})
		if wantCompared(t, answers, 3) {
			// All tries are used up: the right code comes too late.
			c.Insist(http.MethodPost, "/v1/otp/challenges/"+challenge+"/verify", object{"code": code}).Want(410, "challenge_gone")
			c.Insist(http.MethodGet, "/v1/profile", nil).Want(403, "step_up_required")
		}
		w.Forgive("p02")
	}
}
