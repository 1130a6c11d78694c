package sandboxcore

import (
	"net/http"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// instead are the faults that come before the work: what is done instead of it.
// The call has no effect, or not now.
var instead = map[string]func(*visit, http.ResponseWriter){
	sandboxfault.HangBefore:        func(v *visit, _ http.ResponseWriter) { v.hang() },
	sandboxfault.LateEffect:        func(v *visit, _ http.ResponseWriter) { v.arriveLater(); v.hang() },
	sandboxfault.ResetBeforeEffect: (*visit).reset,
	sandboxfault.ErrorBefore:       (*visit).fail,
	sandboxfault.Redirect:          (*visit).redirect,
	sandboxfault.Unavailable:       func(v *visit, w http.ResponseWriter) { v.comeBack(w, "1") },
	sandboxfault.OddRetryAfter:     func(v *visit, w http.ResponseWriter) { v.comeBack(w, v.mischief.dice.oddTime(time.Now())) },
	sandboxfault.Maintenance:       func(v *visit, w http.ResponseWriter) { v.maintain(w, time.Now().Add(sandboxfault.MaintenanceFor)) },
	sandboxfault.TooMany: func(v *visit, w http.ResponseWriter) {
		w.Header().Set("Retry-After", "1")
		sendUnsigned(w, v, problem(http.StatusTooManyRequests, "too_many_requests", "one at a time"))
	},
	sandboxfault.Unauthorized: func(v *visit, w http.ResponseWriter) {
		sendUnsigned(w, v, problem(http.StatusUnauthorized, "unauthorized", "the client's certificate has expired"))
	},
	sandboxfault.Forbidden: func(v *visit, w http.ResponseWriter) {
		sendUnsigned(w, v, problem(http.StatusForbidden, "forbidden", "this bank is not allowed here"))
	},
}

// afterwards are the faults that come between the work, which is done, and its
// answer, which nobody gets.
var afterwards = map[string]func(*visit, http.ResponseWriter){
	sandboxfault.EffectThenHang:    func(v *visit, _ http.ResponseWriter) { v.hang() },
	sandboxfault.ErrorAfter:        (*visit).fail,
	sandboxfault.ResetBeforeAnswer: (*visit).reset,
	sandboxfault.HTML: func(v *visit, w http.ResponseWriter) {
		sendUnsigned(w, v, answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: []byte(welcomePage)})
	},
}

const welcomePage = "<!doctype html>\n<title>Welcome</title>\n<p>Please accept the terms of use to go on.</p>\n"

// among returns what table has for a kind of m; nil: nothing.
func (m mischief) among(table map[string]func(*visit, http.ResponseWriter)) func(*visit, http.ResponseWriter) {
	for _, kind := range m.kinds {
		if do := table[kind]; do != nil {
			return do
		}
	}
	return nil
}

// fail is the core's own stumble: it is signed, and decides nothing.
func (v *visit) fail(w http.ResponseWriter) {
	v.core.send(w, v, problem(http.StatusInternalServerError, "internal", "something went wrong"))
}

// comeBack is what a box in front of the core says.
func (v *visit) comeBack(w http.ResponseWriter, when string) {
	w.Header().Set("Retry-After", when)
	sendUnsigned(w, v, problem(http.StatusServiceUnavailable, "unavailable", "try again later"))
}

// maintain says that the core is being worked on, and until when.
func (v *visit) maintain(w http.ResponseWriter, until time.Time) {
	w.Header().Set("Retry-After", httpDate(until))
	sendUnsigned(w, v, problem(http.StatusServiceUnavailable, "maintenance", "the core is being worked on"))
}

// httpDate is a date of RFC 9110, section 5.6.7, rounded up to the next second.
func httpDate(t time.Time) string {
	return t.Add(time.Second - 1).Truncate(time.Second).UTC().Format(http.TimeFormat)
}

// oddTime is a Retry-After that is allowed and inconvenient, or not allowed.
func (d *dice) oddTime(now time.Time) string {
	odd := []string{
		strconv.Itoa(2 + d.below(20)), httpDate(now.Add(d.between(time.Second, 20*time.Second))), "0", "1000000000", "soon",
	}
	return odd[d.below(len(odd))]
}

// arriveLater lets the submission have its effect when the client has given up.
func (v *visit) arriveLater() {
	at, fresh := v.core.book.queue(v.bank, *v.ask, v.mischief.dice.between(lateEffectAtLeast, lateEffectMax))
	if !fresh {
		return
	}
	v.core.arriving.add(at, arrival{v.reference, v.entry})
	_ = v.core.book.durable() // what could not be written is a submission that got lost
}

// elsewhere is where a redirected call is sent. Nobody has any business there.
const elsewhere = "/core/v1/elsewhere/{reference...}"

// redirect sends the call elsewhere, with its body or without.
func (v *visit) redirect(w http.ResponseWriter) {
	statuses := []int{http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}
	w.Header().Set("Location", "/core/v1/elsewhere/"+v.reference)
	v.core.send(w, v, problem(statuses[v.mischief.dice.below(len(statuses))], "moved", "it is over there"))
}

// followed notes in the history that somebody came.
func (c *Core) followed(w http.ResponseWriter, r *http.Request) {
	v := &visit{core: c, request: r}
	v.entry = c.history.begin(Call{
		At: time.Now().UTC(), Call: "elsewhere", Method: r.Method, Path: r.URL.RequestURI(), Reference: r.PathValue("reference"),
		Fault: sandboxfault.Redirect, Request: recorded(nil), Answer: recorded(nil),
	})
	sendUnsigned(w, v, problem(http.StatusOK, "followed", "you should not be here"))
}
