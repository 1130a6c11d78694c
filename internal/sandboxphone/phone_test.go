package sandboxphone_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxphone"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	p01 = "+966500000001"
	p02 = "+966500000002"
)

type rig struct {
	t     *testing.T
	phone *sandboxphone.Phone
	board *sandboxfault.Board
	url   string
	http  *http.Client
}

func start(t *testing.T) *rig {
	t.Helper()
	board := sandboxfault.NewBoard(1)
	phone := sandboxphone.New(sandboxseed.New(0, time.Now()), board)
	server := httptest.NewServer(phone.Handler())
	t.Cleanup(func() { phone.Close(); server.Close() })
	return &rig{t, phone, board, server.URL, server.Client()}
}

func message(id, to, text string) string {
	b, _ := json.Marshal(map[string]string{"id": id, "to": to, "sender": "AlRajhiBank", "text": text})
	return string(b)
}

// post returns the status, 0 when there was no answer.
func (r *rig) post(ctx context.Context, body string) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/phone/messages", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if got := res.Header.Get("Refund-Core"); got != "sandbox" {
		r.t.Errorf("Refund-Core is %q", got)
	}
	return res.StatusCode
}

func (r *rig) list(query string) (int, []sandboxphone.Message) {
	r.t.Helper()
	res, err := r.http.Get(r.url + "/phone/messages" + query)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct{ Items []sandboxphone.Message }
	text, _ := io.ReadAll(res.Body)
	if err := json.Unmarshal(text, &body); err != nil {
		r.t.Fatalf("%s: %v", text, err)
	}
	if res.StatusCode == http.StatusOK && !strings.HasPrefix(string(text), `{"items":[`) {
		r.t.Errorf("items is no list: %s", text)
	}
	return res.StatusCode, body.Items
}

func texts(items []sandboxphone.Message) string {
	var s []string
	for _, m := range items {
		s = append(s, m.Text)
	}
	return strings.Join(s, ",")
}

func TestMessagesArriveOnceAndAreListedNewestFirst(t *testing.T) {
	r := start(t)
	for _, m := range []string{
		message("a:1", p01, "one"), message("b:1", p02, "two"), message("a:2", p01, "رمز"),
		message("a:1", p01, "one"), message("a:1", p02, "another text under a known id"),
	} {
		if got := r.post(t.Context(), m); got != http.StatusAccepted {
			t.Fatalf("%s: %d", m, got)
		}
	}
	_, all := r.list("")
	if got := texts(all); got != "رمز,two,one" {
		t.Fatalf("inbox: %s", got)
	}
	if !(all[0].ID > all[1].ID && all[1].ID > all[2].ID) {
		t.Errorf("ids do not rise: %+v", all)
	}
	m := all[0]
	if m.MessageID != "a:2" || m.To != p01 || m.Sender != "AlRajhiBank" || m.Encoding != "UCS-2" || m.Parts != 1 || m.At.IsZero() {
		t.Errorf("listed as %+v", m)
	}
	for _, to := range []string{"?to=%2B966500000001", "?to=+966500000001", "?to=0500000001"} {
		if _, items := r.list(to); texts(items) != "رمز,one" {
			t.Errorf("%s: %s", to, texts(items))
		}
	}
	if _, items := r.list("?to=" + url.QueryEscape("+966500000009")); len(items) != 0 {
		t.Errorf("somebody else got %+v", items)
	}
	if status, _ := r.list("?to=12"); status != http.StatusBadRequest {
		t.Errorf("a number that is none: %d", status)
	}
}

func TestEmptiedAndReset(t *testing.T) {
	r := start(t)
	r.post(t.Context(), message("a", p01, "one"))
	before := r.phone.Messages("")[0].ID
	req, _ := http.NewRequest(http.MethodDelete, r.url+"/phone/messages", nil)
	res, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNoContent || len(r.phone.Messages("")) != 0 {
		t.Fatalf("DELETE: %d, left %+v", res.StatusCode, r.phone.Messages(""))
	}
	if got := r.post(t.Context(), message("a", p01, "one")); got != http.StatusAccepted || len(r.phone.Messages(p01)) != 0 {
		t.Errorf("a late retry after DELETE: %d, inbox %+v", got, r.phone.Messages(p01))
	}
	r.phone.Reset()
	r.post(t.Context(), message("a", p01, "again"))
	if got := r.phone.Messages(p01); len(got) != 1 || got[0].ID <= before {
		t.Errorf("after a reset: %+v, before it id %d", got, before)
	}
}

func TestHandoverIsValidated(t *testing.T) {
	r := start(t)
	good := message("a", p01, "x")
	bad := map[string]string{
		"nothing":           ``,
		"not JSON":          `{`,
		"a list":            `[` + good + `]`,
		"two values":        good + good,
		"unknown field":     strings.Replace(good, `"id"`, `"extra":1,"id"`, 1),
		"no id":             message("", p01, "x"),
		"blank in the id":   message("a b", p01, "x"),
		"long id":           message(strings.Repeat("a", 129), p01, "x"),
		"local number":      message("a", "0500000001", "x"),
		"foreign number":    message("a", "+971500000001", "x"),
		"Arabic digits":     message("a", "+٩٦٦٥٠٠٠٠٠٠٠١", "x"),
		"no text":           message("a", p01, ""),
		"too much text":     message("a", p01, strings.Repeat("x", 2001)),
		"control character": message("a", p01, "x\x00"),
		"lone surrogate":    strings.Replace(good, `"x"`, `"\ud800"`, 1),
		"not UTF-8":         strings.Replace(good, `"x"`, "\"\xff\"", 1),
		"text no string":    strings.Replace(good, `"x"`, `7`, 1),
		"huge":              message("a", p01, strings.Repeat("x", 20_000)),
	}
	for _, sender := range []string{"", "ab", "twelve chars", "12345", "بنك الراجحي", " Bank", "Bank\n"} {
		b, _ := json.Marshal(map[string]string{"id": "a", "to": p01, "sender": sender, "text": "x"})
		bad["sender "+sender] = string(b)
	}
	for name, body := range bad {
		if got := r.post(t.Context(), body); got != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := r.phone.Messages(""); len(got) != 0 {
		t.Errorf("arrived all the same: %+v", got)
	}
	if got := r.post(t.Context(), good); got != http.StatusAccepted {
		t.Errorf("the good one: %d", got)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		fault   sandboxfault.Fault
		status  int // 0: no answer
		arrives bool
	}{
		{sandboxfault.Fault{Kind: sandboxfault.HangBefore}, 0, false},
		{sandboxfault.Fault{Kind: sandboxfault.EffectThenHang}, 0, true},
		{sandboxfault.Fault{Kind: sandboxfault.Unavailable}, 503, false},
		{sandboxfault.Fault{Kind: sandboxfault.Stop}, 0, false},
		{sandboxfault.Fault{Kind: sandboxfault.Unavailable, Match: sandboxfault.Match{User: "p01"}}, 503, false},
		{sandboxfault.Fault{Kind: sandboxfault.Unavailable, Match: sandboxfault.Match{User: "p02"}}, 202, true},
		{sandboxfault.Fault{Kind: sandboxfault.Unavailable, Match: sandboxfault.Match{Call: "credit"}}, 202, true},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.fault), func(t *testing.T) {
			r := start(t)
			if err := r.board.Set([]sandboxfault.Fault{tt.fault}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if tt.status != 0 {
				ctx = t.Context()
			}
			if got := r.post(ctx, message("a", p01, "x")); got != tt.status {
				t.Errorf("answered %d, want %d", got, tt.status)
			}
			if got := len(r.phone.Messages(p01)) == 1; got != tt.arrives {
				t.Errorf("arrived: %v, want %v", got, tt.arrives)
			}
			r.board.Clear()
			if got := r.post(t.Context(), message("a", p01, "x")); got != http.StatusAccepted || len(r.phone.Messages(p01)) != 1 {
				t.Errorf("retried without the fault: %d, inbox %+v", got, r.phone.Messages(p01))
			}
		})
	}
}

func TestCloseEndsSilence(t *testing.T) {
	r := start(t)
	if err := r.board.Set([]sandboxfault.Fault{{Kind: sandboxfault.EffectThenHang}}); err != nil {
		t.Fatal(err)
	}
	answered := make(chan int)
	go func() { answered <- r.post(context.Background(), message("a", p01, "x")) }()
	if _, err := r.phone.Wait(t.Context(), p01, 0); err != nil {
		t.Fatal(err)
	}
	r.phone.Close()
	if got := <-answered; got != 0 {
		t.Errorf("silence ended with %d", got)
	}
}

func TestWait(t *testing.T) {
	r := start(t)
	r.post(t.Context(), message("a", p01, "one"))
	r.post(t.Context(), message("b", p01, "two"))
	first, err := r.phone.Wait(t.Context(), p01, 0)
	if err != nil || first.Text != "one" {
		t.Fatalf("first: %+v, %v", first, err)
	}
	second, err := r.phone.Wait(t.Context(), p01, first.ID)
	if err != nil || second.Text != "two" {
		t.Fatalf("second: %+v, %v", second, err)
	}
	if m, err := r.phone.Wait(t.Context(), "", second.ID-1); err != nil || m.Text != "two" {
		t.Fatalf("whoever's: %+v, %v", m, err)
	}
}

func TestWaitBlocksUntilArrivalOrTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		phone := sandboxphone.New(sandboxseed.World{}, sandboxfault.NewBoard(1))
		var got sandboxphone.Message
		var wg sync.WaitGroup
		wg.Go(func() { got, _ = phone.Wait(t.Context(), p02, 0) })
		for i, to := range []string{p01, p02} {
			synctest.Wait()
			if got.ID != 0 {
				t.Fatalf("woken with %+v", got)
			}
			req := httptest.NewRequest(http.MethodPost, "/phone/messages", strings.NewReader(message(fmt.Sprint(i), to, to)))
			phone.Handler().ServeHTTP(httptest.NewRecorder(), req)
		}
		wg.Wait()
		if got.Text != p02 {
			t.Errorf("got %+v", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := phone.Wait(ctx, p02, got.ID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after an hour: %v", err)
		}
	})
}

func TestConcurrentHandoversOfOneMessage(t *testing.T) {
	r := start(t)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { r.post(t.Context(), message("same", p01, "x")) })
	}
	wg.Wait()
	if got := r.phone.Messages(p01); len(got) != 1 {
		t.Errorf("arrived %d times", len(got))
	}
}

func TestUnknownRouteAndMethod(t *testing.T) {
	r := start(t)
	for path, want := range map[string]int{"/phone/messages/1": 404, "/other": 404} {
		res, err := r.http.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || res.Header.Get("Refund-Core") != "sandbox" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}
}
