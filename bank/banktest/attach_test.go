package banktest_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// way is another way to a gateway, which counts who comes along.
func way(t *testing.T, gateway string, count *atomic.Int32) string {
	t.Helper()
	to, err := url.Parse(gateway)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		count.Add(1)
		r.SetURL(to)
	}}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// TestAttach: the path over two gateways in turn, seen from outside of the sandbox's process. What they answer is told to
// the referee.
func TestAttach(t *testing.T) {
	urls := banktest.Start(t).URLs()
	var first, second atomic.Int32
	one, other := way(t, urls.Gateway, &first), way(t, urls.Gateway, &second)
	w := banktest.Attach(t, urls, one, other)
	c := w.Customer("p06")
	c.Prove()
	preview := c.Preview("rq-p05-1") // whose confirm needs a code
	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	c.Await(preview.RefundID, "completed")
	if a, b := first.Load(), second.Load(); a+b < 8 || a-b > 1 || b-a > 1 {
		t.Errorf("one gateway was called %d times, the other %d", a, b)
	}
	if v := w.Exact(); v.Confirmed != 1 || v.Effects != 1 {
		t.Errorf("the referee says %+v", v)
	}
	if inbox := w.Phone("p06").Messages(t); len(inbox) < 2 {
		t.Errorf("%d SMS arrived", len(inbox))
	}

	before := second.Load()
	for range 4 {
		c.Via(one).Do(http.MethodGet, "/v1/refunds", nil).Want(http.StatusOK)
	}
	if second.Load() != before {
		t.Error("a customer who goes one way was sent the other")
	}
}

// TestAttachTells: the referee hears of a 202 from whoever got it, and of nothing else.
func TestAttachTells(t *testing.T) {
	urls := banktest.Start(t).URLs()
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/refunds/made-up/confirm" {
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"refund_id":"made-up","reference":"RF0123456789ABCDEF","status":"processing","state":"queued"}`))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(liar.Close)
	w := banktest.Attach(t, urls, liar.URL)
	c := w.Customer("p03")
	c.Do(http.MethodPost, "/v1/refunds/other/confirm", nil).Want(http.StatusServiceUnavailable)
	if v := w.Exact(); v.Confirmed != 0 {
		t.Errorf("of nothing the referee says %+v", v)
	}
	c.Do(http.MethodPost, "/v1/refunds/made-up/confirm", nil).Want(http.StatusAccepted)
	if v := w.Referee(); v.Verdict != "violated" || v.Confirmed != 1 || v.Lost != 1 {
		t.Errorf("of a 202 without a row the referee says %+v", v)
	}
}
