package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// TestBinary is the built program with -data: ready at once, and killed while the core works on a refund it loses
// nothing.
func TestBinary(t *testing.T) {
	t.Parallel()
	killedAfterConfirm(t, func(w *walk) {
		for state := "queued"; state == "queued" || state == "sending"; time.Sleep(10 * time.Millisecond) {
			is, err := w.gateway.Refund(t.Context(), w.refundID)
			if err != nil {
				t.Fatal(err)
			}
			state = is.Refund.State
		}
	})
}

// killedAfterConfirm walks to the confirm, waits, kills the program, starts it again, and follows the refund to its end.
func killedAfterConfirm(t *testing.T, wait func(*walk)) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sandbox")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	first := launch(t, program, "-polite", "-data", dir, "-free-ports")

	var told bytes.Buffer
	w := &walk{ctx: t.Context(), out: &told, urls: first.urls}
	for _, step := range []func() error{
		w.open, w.signIn, w.askForCode, w.enterCode, w.payments, w.services, w.requests, w.request, w.enter, w.preview, w.confirm,
	} {
		if err := step(); err != nil {
			t.Fatalf("%v\n%s", err, told.String())
		}
	}
	wait(w)
	first.kill()

	bare := func(address string) string { return strings.TrimPrefix(address, "http://") }
	second := launch(t, program, "-polite", "-data", dir, "-gateway", bare(first.urls.Gateway), "-ops", bare(first.urls.Ops),
		"-core", bare(first.urls.Core), "-bank", bare(first.urls.Bank), "-control", bare(first.urls.Control))
	if err := w.settle(); err != nil {
		t.Fatalf("after the kill: %v\n%s", err, told.String())
	}
	var v sandbox.Verdict
	if err := w.fetch(second.urls.Control+"/referee", nil, &v); err != nil {
		t.Fatal(err)
	}
	if v.Verdict != "exact" || v.Confirmed != 1 || v.Effects != 1 || v.Unfinished != 0 {
		t.Errorf("the referee says %+v", v)
	}
	second.kill()
}

// process is the program, running.
type process struct {
	urls sandbox.URLs
	kill func() // as a power cut does
}

func launch(t *testing.T, program string, args ...string) process {
	t.Helper()
	command := exec.Command(program, append(args, "-print-json")...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	p := process{kill: func() {
		if !killed {
			killed = true
			_ = command.Process.Kill()
			_ = command.Wait() // says that it was killed
		}
	}}
	t.Cleanup(p.kill)
	line, _ := bufio.NewReader(stdout).ReadBytes('\n') // cut short, it is no JSON
	t.Logf("ready after %d ms", time.Since(began).Milliseconds())
	if err := json.Unmarshal(line, &p.urls); err != nil {
		p.kill()
		t.Fatalf("stdout's first line is %q: %v\n%s", line, err, stderr.String())
	}
	return p
}
