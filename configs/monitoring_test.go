package configs_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// promtool runs Prometheus's own checker.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("promtool is needed, which .ci/setup brings: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestPrometheus: the configuration as docker-compose.yml lays it out.
func TestPrometheus(t *testing.T) {
	dir := t.TempDir()
	for from, to := range map[string]string{
		"prometheus/prometheus.yml": "prometheus.yml", "prometheus/rules.yml": "rules.yml",
		"prometheus/compose/gateways.yml": "here/gateways.yml",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, to)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), []byte(textOf(t, from)[0]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	promtool(t, "check", "config", filepath.Join(dir, "prometheus.yml"))

	var groups []struct{ Targets []string }
	if err := yaml.Unmarshal([]byte(textOf(t, "prometheus/compose/gateways.yml")[0]), &groups); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range gateways {
		want = append(want, name+":9090")
	}
	if len(groups) != 1 || !slices.Equal(groups[0].Targets, want) {
		t.Errorf("it scrapes %v, not %v", groups, want)
	}
}

func TestAlerts(t *testing.T) { promtool(t, "test", "rules", "testdata/alerts.yml") }

type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal([]byte(textOf(t, "prometheus/rules.yml")[0]), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// TestAlertsSayWhatToDo: whoever is woken by one reads two sentences, and knows how bad it is and where to look.
func TestAlertsSayWhatToDo(t *testing.T) {
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity is %q", r.Alert, s)
		}
		if len(r.Annotations["summary"]) < 15 || len(r.Annotations["description"]) < 60 {
			t.Errorf("%s doesn't say what it means", r.Alert)
		}
	}
}

type panel struct {
	ID          int
	Type, Title string
	Description string
	Datasource  struct{ UID string }
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ Expr, RefID string }
}

func dashboard(t *testing.T) (panels []panel, uid string) {
	t.Helper()
	var d struct {
		UID, Title string
		Panels     []panel
	}
	if err := json.Unmarshal([]byte(textOf(t, "grafana/dashboards/istirdad.json")[0]), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" {
		t.Error("the dashboard has no uid or title")
	}
	return d.Panels, d.UID
}

// TestDashboard: Grafana would load all this without a word and show empty or overlapping panels.
func TestDashboard(t *testing.T) {
	var source struct {
		Datasources []struct{ UID, Type, URL string }
	}
	if err := yaml.Unmarshal([]byte(textOf(t, "grafana/provisioning/datasources/prometheus.yml")[0]), &source); err != nil {
		t.Fatal(err)
	}
	if len(source.Datasources) != 1 || source.Datasources[0].URL != "http://prometheus:9090" {
		t.Fatalf("datasources are %+v", source.Datasources)
	}
	var provider struct {
		Providers []struct{ Options struct{ Path string } }
	}
	if err := yaml.Unmarshal([]byte(textOf(t, "grafana/provisioning/dashboards/istirdad.yml")[0]), &provider); err != nil {
		t.Fatal(err)
	}
	if mount := mounts(compose(t).Services["grafana"]); len(provider.Providers) != 1 ||
		!slices.ContainsFunc(slices.Collect(maps.Values(mount)), func(m types.ServiceVolumeConfig) bool { return m.Target == provider.Providers[0].Options.Path }) {
		t.Errorf("dashboards are looked for in %+v, where nothing is mounted", provider.Providers)
	}

	panels, _ := dashboard(t)
	ids, taken, rows := map[int]bool{}, map[[2]int]string{}, 0
	for _, p := range panels {
		if ids[p.ID] {
			t.Errorf("two panels are number %d", p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%q lies over %q, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows++
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 || p.Datasource.UID != source.Datasources[0].UID {
			t.Errorf("%q has no description, no query, or another datasource (%s)", p.Title, p.Datasource.UID)
		}
	}
	if rows != 5 {
		t.Errorf("%d rows; traffic, promise, neighbours, stores and process are five", rows)
	}
}

// queries are all expressions of rules and dashboard, by where they stand.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range rules(t) {
		all["rule "+r.Record+r.Alert] = r.Expr
	}
	panels, _ := dashboard(t)
	variables := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")
	for _, p := range panels {
		for _, target := range p.Targets {
			all[fmt.Sprintf("panel %q %s", p.Title, target.RefID)] = variables.Replace(target.Expr)
		}
	}
	return all
}

// TestQueriesParse hands the dashboard's queries to promtool as rules, which is what it can check.
func TestQueriesParse(t *testing.T) {
	var text strings.Builder
	text.WriteString("groups: [{name: dashboard, rules: [\n")
	i := 0
	for where, expr := range queries(t) {
		i++
		quoted, err := json.Marshal(expr)
		if err != nil {
			t.Fatal(err)
		}
		name, err := json.Marshal(where)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "{record: q%d, expr: %s, labels: {where: %s}},\n", i, quoted, name)
	}
	text.WriteString("]}]\n")
	file := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint=none", file)
}

// The parts of a query. Ours have no braces or quotes within a matcher's value but those of regular expressions' choices.
var (
	selector = regexp.MustCompile(`\b((?:istirdad|go|process)_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|on|ignoring|without) ?\(([^)]*)\)`)
	recorded = regexp.MustCompile(`\bistirdad:\w+:\w+`)
)

// TestQueriesAskForWhatThereIs scrapes a gateway that has carried a refund, and looks for every name, label and value
// that rules and dashboard ask for.
func TestQueriesAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	told := scrape(t)
	records := map[string]bool{}
	for _, r := range rules(t) {
		records[r.Record] = true
	}
	asked := 0
	for where, query := range queries(t) {
		for _, name := range recorded.FindAllString(query, -1) {
			if !records[name] {
				t.Errorf("%s asks for %s, which no rule records", where, name)
			}
		}
		var labels []map[string]map[string]bool
		for _, found := range selector.FindAllStringSubmatch(query, -1) {
			asked++
			has, known := told[found[1]]
			if !known {
				if !untold[found[1]] || !declared(t, found[1]) {
					t.Errorf("%s asks for %s, which no gateway tells", where, found[1])
				}
				continue
			}
			labels = append(labels, has)
			for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
				label, how, value := m[1], m[2], m[3]
				if ofPrometheus[label] {
					continue
				}
				if has[label] == nil {
					t.Errorf("%s: %s has no label %s", where, found[1], label)
				}
				choices := []string{value}
				if strings.HasSuffix(how, "~") {
					choices = strings.Split(value, "|")
				}
				for _, choice := range choices {
					if has[label] != nil && !has[label][choice] && !rare[label+"="+choice] {
						t.Errorf("%s: %s never has %s=%q, only %v", where, found[1], label, choice, slices.Sorted(maps.Keys(has[label])))
					}
				}
			}
		}
		for _, group := range grouping.FindAllStringSubmatch(query, -1) {
			for label := range strings.SplitSeq(group[1], ",") {
				label = strings.TrimSpace(label)
				if label != "" && len(labels) > 0 && !ofPrometheus[label] &&
					!slices.ContainsFunc(labels, func(has map[string]map[string]bool) bool { return has[label] != nil }) {
					t.Errorf("%s groups by %s, which nothing in it has", where, label)
				}
			}
		}
	}
	if asked < 50 {
		t.Errorf("only %d names found: the queries aren't read rightly", asked)
	}
}

// ofPrometheus are labels that a scrape adds, and those that Prometheus makes up.
var ofPrometheus = map[string]bool{"instance": true, "job": true}

// untold are metrics that the scraped gateway has no reason to tell: it is healthy, and its store is the embedded one.
var untold = map[string]bool{"istirdad_dispatch_handed_over_total": true, "istirdad_pool_connections_max": true}

// declared reports whether internal/telemetry spells the name like that.
func declared(t *testing.T, name string) bool {
	t.Helper()
	return slices.ContainsFunc(textOf(t, "../internal/telemetry"), func(text string) bool { return strings.Contains(text, `"`+name+`"`) })
}

// rare are values that a healthy gateway has never told. They are made in gateway/api (codes of problems), outbound calls
// (outcomes) and gateway/dispatch (results of attempts).
var rare = map[string]bool{
	"status=5..":            true, // a pattern
	"code=core_unavailable": true, "code=sms_unavailable": true, "code=rate_limited": true, "code=maintenance": true,
	"outcome=not_sent": true, "outcome=unknown": true,
	"result=rejected": true, "result=manual": true, "result=returning": true, "result=returned": true,
}

// scrape is what a gateway tells after a walk: by name, by label, the values.
func scrape(t *testing.T) map[string]map[string]map[string]bool {
	t.Helper()
	w := apitest.Start(t)
	c := w.Customer("p03")
	c.Prove()
	preview := c.Preview("rq-p03-1")
	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	c.Await(preview.RefundID, "completed")
	w.Teller("t01").Look(c.IDNumber(), nil)

	answer, err := http.Get(w.URLs().Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	told := map[string]map[string]map[string]bool{}
	sample := regexp.MustCompile(`^(\w+)(?:\{(.*)\})? \S+$`)
	pair := regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
	var text bytes.Buffer
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		found := sample.FindStringSubmatch(lines.Text())
		if found == nil {
			continue // HELP and TYPE
		}
		if told[found[1]] == nil {
			told[found[1]] = map[string]map[string]bool{}
		}
		for _, p := range pair.FindAllStringSubmatch(found[2], -1) {
			if told[found[1]][p[1]] == nil {
				told[found[1]][p[1]] = map[string]bool{}
			}
			told[found[1]][p[1]][p[2]] = true
		}
	}
	if answer.StatusCode != http.StatusOK || len(told) < 20 {
		t.Fatalf("%d, %d names in\n%s", answer.StatusCode, len(told), text.String())
	}
	return told
}
