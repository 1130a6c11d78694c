package program_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
)

// BenchmarkEmployer is what a customer with ten thousand requests waits for: a page of a hundred in the middle of them, and
// the list of services, for which all are counted. own-ms is the gateway's share, without what core and bank took; beside
// it stands a floor, one bare call on this machine that is answered with the same bytes.
func BenchmarkEmployer(b *testing.B) {
	r := newRig(b, banktest.Employer(10_000))
	r.start()
	c := r.world.Customer("employer").Via(r.channel)
	c.Prove()
	const first = "/v1/payments/e-payments/090-003/requests?limit=100"
	page := first
	for range 20 {
		var list struct {
			NextCursor string `json:"next_cursor"`
		}
		c.Do(http.MethodGet, page, nil).Want(200).JSON(&list)
		page = first + "&cursor=" + list.NextCursor
	}
	for name, path := range map[string]string{"a page of a hundred": page, "the services": "/v1/payments/e-payments"} {
		b.Run(name, func(b *testing.B) {
			body := c.Do(http.MethodGet, path, nil).Want(200).Body
			bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
			b.Cleanup(bare.Close)
			floor := times(50, func() { c.Via(bare.URL).Do(http.MethodGet, "/", nil).Want(200) })
			others := func() time.Duration { return r.wires["core"].took() + r.wires["bank"].took() }
			before, calls := others(), len(r.wires["core"].of("POST search"))
			for b.Loop() {
				c.Do(http.MethodGet, path, nil).Want(200)
			}
			n := float64(b.N)
			own := (b.Elapsed() - (others() - before)).Seconds() * 1000 / n
			b.ReportMetric(own, "own-ms")
			b.ReportMetric((others()-before).Seconds()*1000/n, "others-ms")
			b.ReportMetric(float64(len(r.wires["core"].of("POST search"))-calls)/n, "core-calls")
			b.ReportMetric(own/(floor.Seconds()*1000), "times-floor")
		})
	}
}

// times is how long a call takes, one after the other.
func times(n int, call func()) time.Duration {
	began := time.Now()
	for range n {
		call()
	}
	return time.Since(began) / time.Duration(n)
}
