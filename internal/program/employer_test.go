package program_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
)

// BenchmarkEmployer is what a customer with ten thousand requests waits for: a page of a hundred in the middle of them, and
// the list of services, for which all are counted. own-ms is the gateway's share, without what core and bank took. The
// floor is one bare call on this machine that brings as many bytes as the gateway is told and tells.
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
			answer := c.Do(http.MethodGet, path, nil).Want(200).Body
			before := r.neighbours()
			for b.Loop() {
				c.Do(http.MethodGet, path, nil).Want(200)
			}
			took, n := b.Elapsed(), time.Duration(b.N)
			of := r.neighbours()
			others, own := (of.took-before.took)/n, (took-(of.took-before.took))/n
			bytes := make([]byte, len(answer)+int((of.said-before.said)/int64(n)))
			bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes) }))
			b.Cleanup(bare.Close)
			floor := times(50, func() { c.Via(bare.URL).Do(http.MethodGet, "/", nil).Want(200) })
			b.ReportMetric(own.Seconds()*1000, "own-ms")
			b.ReportMetric(others.Seconds()*1000, "others-ms")
			b.ReportMetric(floor.Seconds()*1000, "floor-ms")
			b.ReportMetric(float64(own)/float64(floor), "times-floor")
			b.ReportMetric(float64(of.searches-before.searches)/float64(n), "core-calls")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// neighbourhood is what core and bank have done so far.
type neighbourhood struct {
	took     time.Duration
	said     int64 // bytes
	searches int   // at the core
}

func (r *rig) neighbours() neighbourhood {
	coreTook, coreSaid := r.wires["core"].sum()
	bankTook, bankSaid := r.wires["bank"].sum()
	return neighbourhood{coreTook + bankTook, coreSaid + bankSaid, len(r.wires["core"].of("POST search"))}
}

// times is how long a call takes, one after the other.
func times(n int, call func()) time.Duration {
	began := time.Now()
	for range n {
		call()
	}
	return time.Since(began) / time.Duration(n)
}
