package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// TestReferee: the subcommand says what the referee says, and its exit code what to think of it.
func TestReferee(t *testing.T) {
	w := begin(t, "-polite")
	ask := func(args ...string) (said string, code int) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		args = append([]string{"referee", "-control", w.urls.Control}, args...)
		if err := run(t.Context(), args, &stdout, &stderr); err != nil {
			code = exitCode(args, err)
			if code == 1 && !errors.Is(err, errViolated) {
				t.Errorf("exit code 1 is for violations, and this is %v", err)
			}
		}
		return stdout.String(), code
	}
	if said, code := ask(); code != 0 || said != "exact: 0 confirmed, 0 effects, 0 doubles, 0 lost, 0 lies, 0 unfinished\n" {
		t.Errorf("of a fresh world: exit %d, %q", code, said)
	}

	lost := `{"items":[{"refund_id":"01a20472-cd33-7412-b4e0-5a752510a5e1","reference":"RF0123456789ABCDEF","status":"processing","state":"queued"}]}`
	answer, err := http.Post(w.urls.Control+"/referee/answers", "application/json", strings.NewReader(lost))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	said, code := ask("-wait", "1m") // nobody waits for what is violated already
	if code != 1 || !strings.HasPrefix(said, "violated: 1 confirmed, 0 effects, 0 doubles, 1 lost, 0 lies, 0 unfinished\nlost: RF0123456789ABCDEF ") {
		t.Errorf("of a lost one: exit %d, %q", code, said)
	}
	said, code = ask("-json")
	var v sandbox.Verdict
	if err := json.Unmarshal([]byte(said), &v); err != nil || code != 1 || v.Lost != 1 || len(v.Details) != 1 {
		t.Errorf("as JSON: exit %d, %q", code, said)
	}
	if _, code = ask("-control", w.urls.Core); code != 2 {
		t.Errorf("asked the core: exit %d", code)
	}
	if _, code = ask("now"); code != 2 {
		t.Errorf("asked for nonsense: exit %d", code)
	}
}
