package fleet_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/fleet"
)

// clients is how many callers there are at once.
const clients = 16

// BenchmarkConfirm is confirms at one gateway over real servers, dispatcher and stand-ins at work on the same machine,
// beside what this PostgreSQL does in this very run when all it is asked for is a row and its commit (pgbench, as many
// clients). times-floor is how many of those fit into one confirm.
func BenchmarkConfirm(b *testing.B) {
	const crowdSize, each = 200, 3
	f := fleet.Start(b, fleet.Options{Gateways: 1, Crowd: crowdSize})
	floor := pgbench(b, f)
	var all []member
	for request := 1; request <= each; request++ {
		all = append(all, crowd(f.World, crowdSize, request)...)
	}
	// Once, however long it takes: nothing is confirmed for the first time twice.
	took := measure(len(all), func(i int) {
		path := "/v1/refunds/" + all[i].refundID + "/confirm"
		if all[i].customer.Do(http.MethodPost, path, nil).Want(http.StatusAccepted).Replayed() {
			b.Error("a first confirm is a replay")
		}
	})
	rate := float64(len(all)) / took.elapsed.Seconds()
	b.ReportMetric(rate, "confirms/s")
	b.ReportMetric(floor, "floor-rows/s")
	b.ReportMetric(floor/rate, "times-floor")
	b.ReportMetric(took.percentile(50), "p50-ms")
	b.ReportMetric(took.percentile(99), "p99-ms")
	b.ReportMetric(0, "ns/op")
	f.World.Exact()
}

// BenchmarkStatus is reads of a refund's status at one gateway, beside a bare proxy that asks nobody: what HTTP on this
// machine costs by itself.
func BenchmarkStatus(b *testing.B) {
	const many = 5000
	f := fleet.Start(b, fleet.Options{Gateways: 1, Crowd: 1})
	c := f.World.Customer("c00001")
	c.Prove()
	id := c.Preview("rq-c00001-1").RefundID
	c.Confirm(id).Want(http.StatusAccepted)
	c.Await(id, "credited")
	body := c.Do(http.MethodGet, "/v1/refunds/"+id, nil).Body

	answering := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	b.Cleanup(answering.Close)
	target, err := url.Parse(answering.URL)
	if err != nil {
		b.Fatal(err)
	}
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
	b.Cleanup(proxy.Close)
	bare := c.Via(proxy.URL)
	floor := measure(many, func(int) { bare.Do(http.MethodGet, "/", nil).Want(http.StatusOK) })
	took := measure(many, func(int) { c.Do(http.MethodGet, "/v1/refunds/"+id, nil).Want(http.StatusOK) })
	b.ReportMetric(many/took.elapsed.Seconds(), "reads/s")
	b.ReportMetric(many/floor.elapsed.Seconds(), "floor-reads/s")
	b.ReportMetric(took.elapsed.Seconds()/floor.elapsed.Seconds(), "times-floor")
	b.ReportMetric(took.percentile(99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// measured is how long calls took, each and all together.
type measured struct {
	elapsed time.Duration
	each    []time.Duration
}

func (m measured) percentile(p int) (ms float64) {
	return float64(m.each[len(m.each)*p/100].Microseconds()) / 1000
}

// measure makes n calls, a number of clients at once.
func measure(n int, call func(i int)) measured {
	m := measured{each: make([]time.Duration, n)}
	var wg sync.WaitGroup
	began := time.Now()
	for first := range clients {
		wg.Go(func() {
			for i := first; i < n; i += clients {
				at := time.Now()
				call(i)
				m.each[i] = time.Since(at)
			}
		})
	}
	wg.Wait()
	m.elapsed = time.Since(began)
	slices.Sort(m.each)
	return m
}

// pgbench is how many rows a second the fleet's database takes, each in a transaction of its own.
func pgbench(b *testing.B, f *fleet.Fleet) (perSecond float64) {
	b.Helper()
	f.SQL(`CREATE TABLE floor (id bigserial PRIMARY KEY, at timestamptz NOT NULL);
		GRANT ALL ON floor, floor_id_seq TO PUBLIC`)
	script := filepath.Join(b.TempDir(), "insert.sql")
	if err := os.WriteFile(script, []byte("INSERT INTO floor (at) VALUES (now());\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	program := "pgbench"
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench"); len(found) > 0 {
		program = found[len(found)-1]
	}
	out, err := exec.CommandContext(b.Context(), program, "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2",
		"-T", "5", "-f", script, f.Database.Owner).CombinedOutput()
	found := regexp.MustCompile(`tps = (\S+)`).FindSubmatch(out)
	if err != nil || found == nil {
		b.Fatalf("pgbench: %v\n%s", err, out)
	}
	if perSecond, err = strconv.ParseFloat(string(found[1]), 64); err != nil {
		b.Fatal(fmt.Errorf("pgbench: %w", err))
	}
	return perSecond
}
