package sandbox_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// TestScript plays: p14's next refund has its effect, then silence; its first status question is stale; then all is
// well. Whatever would happen to others does not happen to p14.
func TestScript(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	control(t, w, http.MethodPut, "/faults", `[
		{"kind":"effect_then_hang", "count":1, "match":{"user":"p14","call":"submit"}},
		{"kind":"stale_status",     "count":1, "match":{"user":"p14","call":"status"}},
		{"kind":"well",                        "match":{"user":"p14"}},
		{"kind":"unavailable",                 "match":{"call":"status"}}]`, 204)
	c := w.Customer("p14")
	c.Prove()
	id := c.Preview("rq-p14-1").RefundID
	c.Confirm(id).Want(202)
	var reference string
	for refund := c.Refund(id); refund.State != "credited"; refund = c.Refund(id) {
		if reference = refund.Reference; refund.Status != "processing" {
			t.Fatalf("meanwhile it is %s", refund.State)
		}
		time.Sleep(100 * time.Millisecond)
	}
	type step struct {
		call   banktest.Call
		status int
		fault  string
		effect bool
		told   string // the state
	}
	var played []step
	for _, call := range w.History(reference) {
		var answer struct{ State string }
		if err := json.Unmarshal(call.Answer, &answer); err != nil {
			t.Fatal(err)
		}
		if call.Call != banktest.OnCallback {
			played = append(played, step{call.Call, call.Status, call.Fault, call.Effect, answer.State})
		}
	}
	stale := step{banktest.OnStatus, 200, "stale_status", false, "pending"} // and was released long ago
	if len(played) > 1 && played[1].status == 404 {
		stale.status, stale.told = 404, "" // refunded at once, as one in ten is: before that it was unknown
	}
	script := []step{
		{banktest.OnSubmit, 0, "effect_then_hang", true, ""},
		stale,
		{banktest.OnStatus, 200, "well", false, "refunded"},
	}
	if len(played) < len(script) {
		t.Fatalf("played was %v", played)
	}
	for i, want := range script {
		if played[i] != want {
			t.Errorf("step %d was %v, want %v", i+1, played[i], want)
		}
	}
	if v := w.Exact(); v.Effects != 1 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
}

// TestFlapping: the core's listener is shut and open in turn, the bank's isn't, and all is as it was once it is cleared.
func TestFlapping(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	answers := func(address string) bool {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "http://"), time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}
	w.Fault(banktest.Flapping, banktest.OnSubmit)
	turns, open := 0, answers(w.URLs().Core)
	for began := time.Now(); turns < 4 && time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		if now := answers(w.URLs().Core); now != open {
			turns, open = turns+1, now
		}
		if !answers(w.URLs().Bank) {
			t.Fatal("the bank flaps too")
		}
	}
	if turns < 4 {
		t.Errorf("it turned %d times", turns)
	}
	w.ClearFaults()
	for range 30 {
		if !answers(w.URLs().Core) {
			t.Fatal("it flaps on")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestMaintenance: in a window the core and its portal are closed, to everybody alike, and say until when.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := w.Customer("p01")
	c.Prove()
	citizen := atPortal(t, w, "p01")
	window := func(from, until time.Duration) string {
		now := time.Now()
		return `[{"from":"` + now.Add(from).Format(time.RFC3339Nano) + `","until":"` + now.Add(until).Format(time.RFC3339Nano) + `"}]`
	}
	for _, bad := range []string{window(time.Minute, time.Minute), `[{"from":"now"}]`, `{"from":"2026-03-05T06:00:00Z"}`, `[{"form":"2026-03-05T06:00:00Z"}]`} {
		control(t, w, http.MethodPut, "/maintenance", bad, 400)
	}
	control(t, w, http.MethodPut, "/maintenance", window(time.Hour, 2*time.Hour), 204)
	c.AskFor("rq-p01-1").Want(201)

	control(t, w, http.MethodPut, "/maintenance", window(-time.Hour, time.Hour), 204)
	c.AskFor("rq-p01-1").Want(503, "core_unavailable")
	for language, title := range map[string]string{"ar": "البوابة قيد الصيانة", "en": "Under maintenance"} {
		a := citizen.do(http.MethodGet, "/portal/api/requests", nil, "Accept-Language", language).want(t, 503, "maintenance")
		var p struct{ Title string }
		a.json(t, &p)
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
		if p.Title != title || err != nil || seconds < 3500 || seconds > 3600 {
			t.Errorf("%s: %q, Retry-After %q", language, p.Title, a.header.Get("Retry-After"))
		}
	}
	for path, status := range map[string]int{"/portal": 503, "/portal/refunds": 503, "/portal/style.css": 200} {
		answer, err := http.Get(w.URLs().Core + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if html := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html"); answer.StatusCode != status || html != (status == 503) {
			t.Errorf("%s: %s of %s", path, answer.Status, answer.Header.Get("Content-Type"))
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	reader := http.Client{Jar: jar} // who switches to English and is told in English
	answer, err := reader.PostForm(w.URLs().Core+"/portal/language", url.Values{"language": {"en"}})
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || answer.StatusCode != 503 || !strings.Contains(string(page), "Under maintenance") {
		t.Errorf("switched to English: %s, %v\n%s", answer.Status, err, page)
	}
	history := w.History("")
	if last := history[len(history)-1]; last.Status != 503 || last.Fault != "maintenance" {
		t.Errorf("the history ends with %+v", last)
	}
	if got := string(control(t, w, http.MethodGet, "/maintenance", nil, 200).Body); !strings.Contains(got, `"until"`) {
		t.Errorf("the windows are %s", got)
	}
	control(t, w, http.MethodDelete, "/maintenance", nil, 204)
	citizen.do(http.MethodGet, "/portal/api/requests", nil).want(t, 200, "")
}
