package sandbox_test

import (
	"os"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/sandbox"
	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// TestOptionsRefused: what can't be meant is refused before anything is started, in words that help and that repeat no
// password.
func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	const database, redis = "postgres://o:hunter2@127.0.0.1:1/x", "redis://:hunter2@127.0.0.1:1/0"
	for name, c := range map[string]struct {
		options sandbox.Options
		says    string
	}{
		"a crowd below nobody": {sandbox.Options{Crowd: -1}, "crowd"},
		"off without servers":  {sandbox.Options{GatewayOff: true}, "database and the Redis"},
		"off without Redis":    {sandbox.Options{GatewayOff: true, DatabaseURL: database}, "database and the Redis"},
		"off without database": {sandbox.Options{GatewayOff: true, RedisURL: redis}, "database and the Redis"},
		"callback, not off":    {sandbox.Options{Callback: "http://127.0.0.1:8080"}, "callbacks"},
		"config, not off":      {sandbox.Options{WriteConfig: "gateway.yaml"}, "configuration"},
		"callback to nowhere": {
			sandbox.Options{GatewayOff: true, DatabaseURL: database, RedisURL: redis, Callback: "127.0.0.1:8080"}, "callbacks",
		},
		"callback to a file": {
			sandbox.Options{GatewayOff: true, DatabaseURL: database, RedisURL: redis, Callback: "file:///tmp/x"}, "callbacks",
		},
		"a rate of no fault":  {sandbox.Options{Rates: map[string]float64{"late": 0.1, "lte": 0.1}}, `"lte"`},
		"a rate of a stop":    {sandbox.Options{Rates: map[string]float64{"stop": 0.1}}, "stop"},
		"a rate that is none": {sandbox.Options{Rates: map[string]float64{"late": 2}}, "rate"},
		"no such fault":       {sandbox.Options{Faults: []sandboxfault.Fault{{Kind: "lte"}}}, `"lte"`},
		"Redis of no kind":    {sandbox.Options{RedisURL: "hunter2://127.0.0.1:1"}, "Redis"},
		"nobody's Redis":      {sandbox.Options{RedisURL: redis}, "redis"},
		"nobody's PostgreSQL": {sandbox.Options{DatabaseURL: database}, "database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := sandbox.Start(t.Context(), c.options)
			if err == nil {
				w.Close()
				t.Fatal("it starts")
			}
			if said := err.Error(); !strings.Contains(said, c.says) || strings.Contains(said, "hunter2") {
				t.Errorf("it says %q, want something about %q and no password", said, c.says)
			}
		})
	}
}

// TestAddressByName: a listener that was asked for by its host's name is called by it, on the port that it got; one that
// is open on all sides is called by the machine's.
func TestAddressByName(t *testing.T) {
	t.Parallel()
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	w, err := sandbox.Start(t.Context(), sandbox.Options{Polite: true, Bank: "localhost:0", Control: ":0", Ops: "0.0.0.0:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	at := w.URLs()
	for address, host := range map[string]string{at.Bank: "localhost", at.Control: machine, at.Ops: machine, at.Core: "127.0.0.1"} {
		if !strings.HasPrefix(address, "http://"+host+":") || strings.HasSuffix(address, ":0") {
			t.Errorf("%s goes by %s", host, address)
		}
	}
}
