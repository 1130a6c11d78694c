package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// TestWalk is the README's first command.
func TestWalk(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-walk", "-polite"}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stdout.String())
	}
	said := stdout.String()
	for _, step := range []string{
		" 1  Open the bank's site · افتح موقع البنك",
		" 2  Sign in as the customer · سجّل الدخول",
		" 3  Open the profile · افتح الملف الشخصي",
		" 4  Enter the one-time code from the SMS · أدخل الرمز المؤقت الذي وصلك برسالة",
		" 5  Choose payments · اختر المدفوعات",
		" 6  Then e-payments · ثم المدفوعات الإلكترونية",
		" 7  Press the service whose fee is to come back · اضغط الخدمة التي تريد استرداد رسومها",
		" 8  Select the request · اختر الطلب",
		" 9  Enter the account number and the ID number · أدخل رقم الحساب ورقم الهوية",
		"10  Continue · استمرار",
		"11  Confirm · تأكيد",
		"credited",
	} {
		_, after, found := strings.Cut(said, step)
		if !found {
			t.Fatalf("the walk doesn't come to %q:\n%s", step, stdout.String())
		}
		said = after // the next step comes after this one
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", stderr.String())
	}
}

// TestPrintJSON: a program that starts the sandbox reads one line, and then everything answers.
func TestPrintJSON(t *testing.T) {
	w := begin(t, "-polite")
	for name, address := range map[string]string{
		"gateway": w.urls.Gateway, "ops": w.urls.Ops, "core": w.urls.Core, "bank": w.urls.Bank, "control": w.urls.Control,
	} {
		if !strings.HasPrefix(address, "http://127.0.0.1:") {
			t.Errorf("%s is at %q", name, address)
		}
	}
	if rest := w.stop(); rest != "" {
		t.Errorf("stdout has more than one line: %q", rest)
	}
	said := w.stderr.String()
	for _, want := range []string{w.urls.Gateway, "p03", "Ahmed Hassan · أحمد حسن", sandbox.Password} {
		if !strings.Contains(said, want) {
			t.Errorf("stderr doesn't say %q:\n%s", want, said)
		}
	}
}

func TestArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"unknown flag":       {"-rude"},
		"argument":           {"walk"},
		"argument after":     {"-polite", "now"},
		"value of no number": {"-crowd", "many"},
		"no address":         {"-gateway", "127.0.0.1:none"},
		"no gateway to walk": {"-gateway", "off", "-database-url", "postgres://127.0.0.1:1/x", "-redis-url", "redis://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), append([]string{"-walk"}, args...), io.Discard, io.Discard); err == nil {
				t.Errorf("%q is taken", args)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var stderr bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &stderr); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("-h ends with %v", err)
	}
	for _, name := range []string{"gateway", "ops", "core", "bank", "control", "data", "seed", "polite", "crowd", "walk", "print-json",
		"database-url", "redis-url", "callback", "write-config"} {
		if !strings.Contains(stderr.String(), "-"+name) {
			t.Errorf("-h doesn't tell of -%s", name)
		}
	}
}

// running is the program with -print-json on free ports.
type running struct {
	line   string // on stdout
	urls   sandbox.URLs
	stderr *bytes.Buffer // to be read after stop
	stop   func() (rest string)
}

func begin(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stderr: new(bytes.Buffer)}
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	all := []string{"-print-json"}
	for _, name := range []string{"gateway", "ops", "core", "bank", "control"} {
		all = append(all, "-"+name, "127.0.0.1:0")
	}
	go func() {
		err := run(ctx, append(all, args...), stdout, r.stderr)
		stdout.CloseWithError(io.EOF)
		done <- err
	}()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("no line on stdout: %v, %v", err, <-done)
	}
	r.line = line
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r.urls); err != nil {
		t.Errorf("stdout's line is %q: %v", line, err)
	}
	stopped := false
	r.stop = func() string {
		if stopped {
			return ""
		}
		stopped = true
		cancel()
		rest, _ := io.ReadAll(lines)
		if err := <-done; err != nil {
			t.Errorf("stopped, the sandbox says %v", err)
		}
		return string(rest)
	}
	t.Cleanup(func() { r.stop() })
	return r
}
