package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

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
	for address, status := range map[string]int{
		w.urls.Gateway + "/v1/profile": 401, w.urls.Ops + "/healthz": 200, w.urls.Core + "/core/v1/refunds": 401,
		w.urls.Bank + "/.well-known/openid-configuration": 200, w.urls.Control + "/referee": 200,
	} {
		answer, err := http.Get(address)
		if err != nil {
			t.Errorf("told, and not there: %v", err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != status {
			t.Errorf("%s answers %s", address, answer.Status)
		}
	}
	if rest := w.stop(); rest != "" {
		t.Errorf("stdout has more than one line: %q", rest)
	}
	said := w.stderr.String()
	for _, want := range []string{w.urls.Gateway, w.urls.Core + "/portal", "p03", "Ahmed Hassan · أحمد حسن", sandbox.Password} {
		if !strings.Contains(said, want) {
			t.Errorf("stderr doesn't say %q:\n%s", want, said)
		}
	}
}

// shared is what several may write to at once, as to the real standard error: the log and whoever tells of the world.
type shared struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// TestPrintJSONAlone: whatever else is asked for, the line is all that stdout gets; and nothing, when there is no world.
func TestPrintJSONAlone(t *testing.T) {
	var stdout bytes.Buffer
	var stderr shared
	if err := run(t.Context(), []string{"-walk", "-polite", "-print-json", "-v"}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var at map[string]string
	if err := json.Unmarshal(stdout.Bytes(), &at); err != nil || strings.Count(stdout.String(), "\n") != 1 || len(at) != 5 {
		t.Errorf("stdout is %q: %v", stdout.String(), err)
	}
	if said := stderr.String(); !strings.Contains(said, "credited") || !strings.Contains(said, `{"time":`) {
		t.Errorf("the walk and the log are missing from stderr:\n%s", said)
	}

	stdout.Reset()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = run(t.Context(), []string{"-free-ports", "-print-json", "-bank", taken.Addr().String()}, &stdout, io.Discard)
	if err == nil || stdout.Len() > 0 {
		t.Errorf("at an address that is taken it says %v, and %q on stdout", err, stdout.String())
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

// TestHelp: every flag is told of, once, in lines that a terminal holds.
func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &stdout, &stderr); !errors.Is(err, flag.ErrHelp) || stdout.Len() > 0 {
		t.Fatalf("-h ends with %v and %q on stdout", err, stdout.String())
	}
	told := map[string]int{}
	for line := range strings.Lines(stderr.String()) {
		if name, found := strings.CutPrefix(line, "  -"); found {
			told[strings.Fields(name)[0]]++
		}
		if n := utf8.RuneCountInString(line); n > 120 {
			t.Errorf("a line of %d: %s", n, line)
		}
	}
	for name := range strings.FieldsSeq("gateway ops core bank control free-ports profile data seed polite faults crowd employer walk print-json v " +
		"database-url redis-url callback write-config") {
		if told[name] != 1 {
			t.Errorf("-h tells %d times of -%s", told[name], name)
		}
		delete(told, name)
	}
	if len(told) > 0 {
		t.Errorf("-h tells of %v: is there a flag of that name?", told)
	}
}

// TestFreePorts: addresses that nobody asked for are free ones; one that was asked for is taken.
func TestFreePorts(t *testing.T) {
	const usual = "127.0.0.1:8080 127.0.0.1:9090 127.0.0.1:8081 127.0.0.1:8082 127.0.0.1:8083"
	c, err := parse([]string{"-free-ports", "-bank", "127.0.0.1:7"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join([]string{c.Gateway, c.Ops, c.Core, c.Bank, c.Control}, " "); got != "127.0.0.1:0 127.0.0.1:0 127.0.0.1:0 127.0.0.1:7 127.0.0.1:0" {
		t.Errorf("the addresses are %s", got)
	}
	if c, err = parse(nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join([]string{c.Gateway, c.Ops, c.Core, c.Bank, c.Control}, " "); got != usual {
		t.Errorf("the usual addresses are %s", got)
	}
	if c, err = parse([]string{"-free-ports", "-gateway", "off"}, io.Discard); err != nil || !c.GatewayOff || c.Ops != "127.0.0.1:9090" {
		t.Errorf("without a gateway it says %v, and the ops listener is at %s", err, c.Ops)
	}
}

// running is the program with -print-json on free ports.
type running struct {
	line   string // on stdout
	urls   sandbox.URLs
	stderr *shared // to be read after stop
	stop   func() (rest string)
}

func begin(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stderr: new(shared)}
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-print-json", "-free-ports"}, args...), stdout, r.stderr)
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
