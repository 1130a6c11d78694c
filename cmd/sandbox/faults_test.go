package main

import (
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFaultsFile: a run starts with a script, and without one that can't be played it doesn't start.
func TestFaultsFile(t *testing.T) {
	const script = `[{"kind":"effect_then_hang","count":1,"match":{"user":"p14","call":"submit"}},{"kind":"well","match":{"user":"p14"}}]`
	file := filepath.Join(t.TempDir(), "script.json")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(script)
	w := begin(t, "-polite", "-faults", file)
	answer, err := http.Get(w.urls.Control + "/faults")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if on, err := io.ReadAll(answer.Body); err != nil || strings.TrimSpace(string(on)) != `{"items":`+script+`}` {
		t.Errorf("on are %s, %v", on, err)
	}
	for text, says := range map[string]string{
		`[{"kind":"late","cuont":1}]`: "cuont", `[{"kind":"ltae"}]`: "ltae", `[`: file, `[{"kind":"stop","count":1}]`: "stop",
		`null`: file, `[{"kind":"late"}]garbage`: file, `[{"kind":"late","rate":0}]`: "never happens", `[{"kind":"late","match":{"user":"p99"}}]`: "p99",
	} {
		write(text)
		err := run(t.Context(), []string{"-polite", "-free-ports", "-faults", file}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := run(t.Context(), []string{"-polite", "-free-ports", "-faults", file + ".none"}, io.Discard, io.Discard); err == nil {
		t.Error("it starts without its script")
	}
}

// TestRatesInTheEnvironment: one variable for each kind.
func TestRatesInTheEnvironment(t *testing.T) {
	t.Setenv("SANDBOX_FAULT_WRONG_ECHO", "0.05")
	t.Setenv("SANDBOX_FAULT_LATE", "0")
	c, err := parse(nil, io.Discard)
	if want := map[string]float64{"wrong_echo": 0.05, "late": 0}; err != nil || !maps.Equal(c.Rates, want) {
		t.Errorf("the rates are %v, %v", c.Rates, err)
	}
	t.Setenv("SANDBOX_FAULT_LATE", "often")
	if _, err := parse(nil, io.Discard); err == nil || !strings.Contains(err.Error(), "SANDBOX_FAULT_LATE") {
		t.Errorf("a rate of \"often\": %v", err)
	}
	t.Setenv("SANDBOX_FAULT_LATE", "0")
	refused := func(says string, args ...string) {
		t.Helper()
		if err := run(t.Context(), append(args, "-free-ports"), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("it says %v, not %s", err, says)
		}
	}
	refused("wrong_echo: a polite core", "-polite") // which would not do it, and nobody would know
	t.Setenv("SANDBOX_FAULT_WRONG_ECHO", "5")
	refused("wrong_echo")
	t.Setenv("SANDBOX_FAULT_WRONG_ECHO", "0.05")
	t.Setenv("SANDBOX_FAULT_LTAE", "0.1")
	refused("ltae")
}
