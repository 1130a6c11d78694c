package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway/kept"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	addresses  = regexp.MustCompile(`(?m)^G=\S+ B=\S+ C=\S+$`)
)

// TestReadme runs the lines under "The path in curl" as a newcomer would paste them, so that they stay true.
func TestReadme(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatalf("the README's lines need curl, which .ci/setup brings: %v", err)
	}
	lines := curlLines(t)
	w := begin(t, "-polite")
	lines = addresses.ReplaceAllString(lines, fmt.Sprintf("G=%s B=%s C=%s", w.urls.Gateway, w.urls.Bank, w.urls.Control))

	// What became of it is asked again until the money is there: the promise is 2 s.
	last := lines[strings.LastIndex(strings.TrimSpace(lines), "\n")+1:]
	script := "set -eu\n" + lines + "\nfor i in $(seq 100); do R=$(" + strings.TrimSpace(last) + ")\n" +
		`case $R in *'"status":"completed"'*) echo "$R"; exit 0;; esac; sleep 0.1; done; exit 1`
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	said := stdout.String()
	for _, want := range []string{
		`"code":"step_up_required"`, `"verified":true`, `"id":"e-payments"`, `"service":"090-003"`, `"request_id":"rq-p03-1"`,
		`"status":"processing"`, `"status":"completed","state":"credited"`,
	} {
		_, after, found := strings.Cut(said, want)
		if !found {
			t.Fatalf("%s doesn't come where it should in\n%s", want, stdout.String())
		}
		said = after
	}
}

// curlLines is the block of shell that begins with the addresses.
func curlLines(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range shellBlock.FindAllSubmatch(readme, -1) {
		if addresses.Match(block[1]) {
			return string(block[1])
		}
	}
	t.Fatal("README.md has no block of shell that sets G, B and C")
	return ""
}

// TestReadmeTellsHowLong: an auditor reads there for how long customers' data are kept.
func TestReadmeTellsHowLong(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for what, long := range map[string]time.Duration{
		"what customers were told by SMS, codes blanked": kept.SMSFor, "for whom money went to an account (what the flags look at)": kept.UsesFor,
	} {
		if row := fmt.Sprintf("| %s | %d days", what, long/(24*time.Hour)); !bytes.Contains(text, []byte(row)) {
			t.Errorf("it doesn't say %s", row)
		}
	}
}
