package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// TestEmployer: a customer with ten thousand requests is served like any other. Whatever they look at costs the core a
// bounded number of questions, and going through all of it shows each once.
func TestEmployer(t *testing.T) {
	const n = 10_000
	t.Parallel()
	for name, on := range map[string]func(*testing.T) banktest.Option{
		embedded.name:  func(*testing.T) banktest.Option { return banktest.Crowd(0) },
		onServers.name: servers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			employer(t, apitest.Start(t, banktest.Employer(n), on(t)), n)
		})
	}
}

// paged is a page of requests, and whose turn is next.
type paged struct {
	Items      []request
	NextCursor *string `json:"next_cursor"`
}

func requestsPage(c *banktest.Customer, service string, limit int, cursor string) (page paged) {
	path := fmt.Sprintf("/v1/payments/e-payments/%s/requests?limit=%d", service, limit)
	if cursor != "" {
		path += "&cursor=" + url.QueryEscape(cursor)
	}
	c.Do(http.MethodGet, path, nil).Want(200).JSON(&page)
	return page
}

func employer(t *testing.T, w *banktest.World, n int) {
	c := w.Customer("employer")
	c.Prove()
	questions := func(what string, most int, ask func()) {
		t.Helper()
		before := inquiries(w)
		ask()
		if got := inquiries(w) - before; got == 0 || got > most {
			t.Errorf("%s cost %d questions to the core, want at most %d", what, got, most)
		}
	}

	// Step 6 counts all of them, 500 to a question.
	var all []service
	questions("the services", n/500, func() { all = servicesOf(c) })
	total, iqamas := 0, 0
	for _, s := range all {
		if total += s.RefundableCount; s.Service == "090-003" {
			iqamas = s.RefundableCount
		}
	}
	if want := n - n/7; total != want || len(all) != 5 {
		t.Errorf("%d services with %d requests that can come back, want 5 with %d", len(all), total, want)
	}

	// Step 7, to the end, while they go on paying.
	seen, refundable, newest, cursor := map[string]bool{}, 0, time.Now(), ""
	for pages := 0; pages == 0 || cursor != ""; pages++ {
		if pages%10 == 5 {
			w.Pay("employer", 3)
		}
		var page paged
		questions("a page", 1, func() { page = requestsPage(c, "090-003", 100, cursor) })
		if len(page.Items) != 100 && page.NextCursor != nil {
			t.Fatalf("page %d has %d requests and isn't the last", pages, len(page.Items))
		}
		for _, r := range page.Items {
			if seen[r.RequestID] || r.PaidAt.After(newest) {
				t.Fatalf("%s, paid at %v, comes after one of %v; seen before: %t", r.RequestID, r.PaidAt, newest, seen[r.RequestID])
			}
			seen[r.RequestID], newest = true, r.PaidAt
			if r.Reason == nil {
				refundable++
			}
		}
		if cursor = ""; page.NextCursor != nil {
			cursor = *page.NextCursor
		}
	}
	if len(seen) != n/2 || refundable != iqamas {
		t.Errorf("%d requests, of which %d can come back; want %d and %d", len(seen), refundable, n/2, iqamas)
	}

	// What was paid meanwhile stands before all that was there when they began.
	first := requestsPage(c, "090-003", 15, "")
	if slices.ContainsFunc(first.Items, func(r request) bool { return seen[r.RequestID] }) {
		t.Errorf("the newest are %v", first.Items)
	}
	sealedCursors(t, w, c, first)

	// One of the oldest comes back like any other.
	preview := c.Preview("rq-employer-2")
	c.Confirm(preview.RefundID).Want(202)
	c.Await(preview.RefundID, "credited")
	w.Exact()
}

// sealedCursors: a cursor is good for whom and for what it was given, and shows nothing of the core's.
func sealedCursors(t *testing.T, w *banktest.World, c *banktest.Customer, page paged) {
	t.Helper()
	cursor := *page.NextCursor
	p03 := w.Customer("p03")
	p03.Prove()
	path := "/v1/payments/e-payments/%s/requests?limit=15&cursor=%s"
	for name, r := range map[string]*banktest.Response{
		"somebody else's":   p03.Do(http.MethodGet, fmt.Sprintf(path, "090-003", cursor), nil),
		"another service's": c.Do(http.MethodGet, fmt.Sprintf(path, "090-007", cursor), nil),
		"the core's own":    c.Do(http.MethodGet, fmt.Sprintf(path, "090-003", page.Items[14].RequestID), nil),
		"an altered one":    c.Do(http.MethodGet, fmt.Sprintf(path, "090-003", cursor[:len(cursor)-2]), nil),
	} {
		if r.Status != 400 || r.Code() != "malformed_request" {
			t.Errorf("%s cursor is answered %d %s", name, r.Status, r.Code())
		}
	}
}

// inquiries is how many questions the core has been asked.
func inquiries(w *banktest.World) (n int) {
	for _, call := range w.History("") {
		if call.Call == "inquiry" {
			n++
		}
	}
	return n
}
