package postgres

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway/kept"
)

// TestPageReadsItsRowsAlone: of a customer with thousands of refunds a page reads the rows that it shows and one more,
// the first page and one far behind it alike; and whether five hundred requests are being refunded is one look into an
// index for each.
func TestPageReadsItsRowsAlone(t *testing.T) {
	s, db := newStore(t)
	mustAccept(t, s, fixture(1))
	owner := shell(t, db.Owner)
	seedling(t, owner)
	const many = 5000
	mustExec(t, owner, fmt.Sprintf(`INSERT INTO refunds SELECT r.* FROM one, generate_series(1, %d) AS n, jsonb_populate_record(one, jsonb_build_object(
		'id', 'many-' || lpad(n::text, 6, '0'), 'reference', n::text, 'request_id', 'RQ-' || n, 'challenge', '', 'customer', 'c-many',
		'created_at', one.created_at + n / 3 * interval '1 second')) AS r`, many))
	mustExec(t, owner, `VACUUM ANALYZE refunds`)
	conn := shell(t, db.App)
	mustExec(t, conn, `SET plan_cache_mode = force_generic_plan`)

	var requests []string
	for n := range 500 {
		requests = append(requests, fmt.Sprintf("RQ-%d", n*7))
	}
	from := func(at time.Time, id string) string {
		return fmt.Sprintf(`'c-many', '%s', '%s', 101`, at.Format(time.RFC3339), id)
	}
	middle := start.Add(many / 3 / 2 * time.Second)
	for _, page := range []struct {
		what, query, args string
		rows              int
		index             string
	}{
		{"the first page", refundsOfCustomer, from(kept.Last.At, kept.Last.ID), 101, "Index Scan Backward using refunds_list"},
		{"one in the middle", refundsOfCustomer, from(middle, "many-002500"), 101, "Index Scan Backward using refunds_list"},
		{"which of 500 are live", selectLive, "ARRAY['" + strings.Join(requests, "', '") + "']", 499, "using refunds_live"},
	} {
		if _, err := conn.Prepare(t.Context(), "q", page.query); err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(explain(t, conn, `EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) EXECUTE q(`+page.args+`)`), "\n")
		read := regexp.MustCompile(page.index + `.*\(actual rows=(\d+)`).FindStringSubmatch(plan)
		if read == nil || read[1] != strconv.Itoa(page.rows) || strings.Contains(plan, "Rows Removed") {
			t.Errorf("%s reads more than %d rows:\n%s", page.what, page.rows, plan)
		}
		if err := conn.DeallocateAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
