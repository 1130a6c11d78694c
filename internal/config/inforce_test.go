package config_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/internal/program"
)

// watched is a profile in force, watched in a synctest bubble.
type watched struct {
	folder
	t       *testing.T
	profile program.Profile

	mu  sync.Mutex
	log bytes.Buffer
}

// Write takes a line of the log.
func (w *watched) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(line)
}

// watch begins with a profile whose limit is 5,000 riyals.
func watch(t *testing.T, f folder) *watched {
	t.Helper()
	f.write("profile.yaml", limit("5000.00"))
	w := &watched{folder: f, t: t}
	p, err := f.mustLoad(production).Program(slog.New(slog.NewJSONHandler(w, nil)))
	if err != nil {
		t.Fatal(err)
	}
	w.profile = p.Profile
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.profile.Watch(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

// limit is a profile with that limit, and a canary that no log may repeat.
func limit(riyals string) string {
	return "# Canary\nsms: {sender: Canary}\nlimits: {online_limit: \"" + riyals + "\"}\n"
}

// settled waits for as long as a change may take.
func (w *watched) settled() {
	time.Sleep(6 * time.Second)
	synctest.Wait()
}

// want is what is in force, and whether the file is refused.
func (w *watched) want(riyals string, refused bool) {
	w.t.Helper()
	if got := w.profile.Terms().OnlineLimit.String(); got != riyals {
		w.t.Errorf("the limit is %s, want %s", got, riyals)
	}
	if _, is := w.profile.State(); is != refused {
		w.t.Errorf("the file is refused: %t", is)
	}
}

// logged are the messages so far, and forgets them.
func (w *watched) logged() string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var said []string
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "Canary") {
			w.t.Errorf("a value is logged: %s", line)
		}
		var entry struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			w.t.Fatal(err)
		}
		said = append(said, entry.Level+" "+entry.Msg)
	}
	w.log.Reset()
	return strings.Join(said, ", ")
}

const (
	inForce = "INFO profile in force"
	refused = "ERROR profile refused; the one before stays in force"
)

// TestReload: what is changed in the file is gone by some seconds later; what is wrong changes nothing, and is told once.
func TestReload(t *testing.T) {
	f := newFolder(t)
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, f)
		w.settled()
		w.want("5000.00", false)
		before, _ := w.profile.State()
		for _, step := range []struct {
			what    string
			change  func()
			limit   string
			refused bool
			said    string
		}{
			{"nothing", func() {}, "5000.00", false, ""},
			{"written again", func() { f.write("profile.yaml", limit("5000.00")) }, "5000.00", false, ""},
			{"changed", func() { f.write("profile.yaml", limit("6000.00")) }, "6000.00", false, inForce},
			{"wrong", func() { f.write("profile.yaml", limit("0.00")) }, "6000.00", true, refused},
			{"wrong for long", func() { time.Sleep(time.Hour) }, "6000.00", true, ""},
			{"wrong otherwise", func() { f.write("profile.yaml", "limits: [Canary") }, "6000.00", true, refused},
			{"gone", func() { remove(t, f.path("profile.yaml")) }, "6000.00", true, refused},
			{"a folder", func() { mkdir(t, f.path("profile.yaml")) }, "6000.00", true, refused},
			{"back as it was", func() { remove(t, f.path("profile.yaml")); f.write("profile.yaml", limit("6000.00")) }, "6000.00", false, inForce},
			{"mended", func() { f.write("profile.yaml", limit("7000.00")) }, "7000.00", false, inForce},
			{"as at the start", func() { f.write("profile.yaml", limit("5000.00")) }, "5000.00", false, inForce},
		} {
			step.change()
			w.settled()
			w.want(step.limit, step.refused)
			if said := w.logged(); said != step.said {
				t.Errorf("%s: logged %q, want %q", step.what, said, step.said)
			}
		}
		if after, _ := w.profile.State(); after != before || len(after) != 64 {
			t.Errorf("the same file has the digests %s and %s", before, after)
		}
	})
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestReloadNotByHalf: a file that is being written, whose first half would be a profile too, is left alone until it stays
// as it is.
func TestReloadNotByHalf(t *testing.T) {
	f := newFolder(t)
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, f)
		for i := range 50 {
			f.write("profile.yaml", "sms: {sender: Canary}\n#"+strings.Repeat("x", i)) // the limit is yet to come
			time.Sleep(2 * time.Second)
			synctest.Wait()
			w.want("5000.00", false)
		}
		f.write("profile.yaml", limit("6000.00"))
		w.settled()
		w.want("6000.00", false)
		if said := w.logged(); said != inForce {
			t.Errorf("logged %q", said)
		}
	})
}

// TestReloadByLinks: Kubernetes puts a new folder beside the old one and turns a link to it, with no file written anew.
func TestReloadByLinks(t *testing.T) {
	f := newFolder(t)
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, f)
		for version, riyals := range map[string]string{"v1": "5000.00", "v2": "8000.00"} {
			mkdir(t, f.path(version))
			f.write(version+"/profile.yaml", limit(riyals))
		}
		turn := func(version string) {
			t.Helper()
			if err := os.Symlink(version, f.path("new")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(f.path("new"), f.path("data")); err != nil {
				t.Fatal(err)
			}
		}
		turn("v1")
		remove(t, f.path("profile.yaml"))
		if err := os.Symlink("data/profile.yaml", f.path("profile.yaml")); err != nil {
			t.Fatal(err)
		}
		w.settled()
		w.want("5000.00", false)
		turn("v2")
		w.settled()
		w.want("8000.00", false)
		turn("v1")
		w.settled()
		w.want("5000.00", false)
	})
}

// TestReloadAtOnce: whoever asks for it doesn't wait, and is told what came of it also when that is no news.
func TestReloadAtOnce(t *testing.T) {
	f := newFolder(t)
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, f)
		for _, step := range []struct {
			text, limit string
			refused     bool
			said        string
		}{
			{limit("5000.00"), "5000.00", false, inForce}, {limit("6000.00"), "6000.00", false, inForce},
			{limit("0.00"), "6000.00", true, refused}, {limit("0.00"), "6000.00", true, refused}, {limit("6000.00"), "6000.00", false, inForce},
		} {
			f.write("profile.yaml", step.text)
			w.profile.Reload(t.Context())
			w.want(step.limit, step.refused)
			if said := w.logged(); said != step.said {
				t.Errorf("logged %q, want %q", said, step.said)
			}
		}
		w.settled()
		if said := w.logged(); said != "" {
			t.Errorf("told again: %q", said)
		}
	})
}

// TestReloadWhileServing: whoever asks for the terms meanwhile gets the one or the other, whole.
func TestReloadWhileServing(t *testing.T) {
	f := newFolder(t)
	f.write("profile.yaml", limit("5000.00"))
	p, err := f.mustLoad(production).Program(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	both := map[string]string{"5000.00": "20000.00", "6000.00": "30000.00"}
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if terms := p.Profile.Terms(); both[terms.OnlineLimit.String()] != terms.CounterLimit.String() {
						t.Errorf("online %s, at the counter %s", terms.OnlineLimit, terms.CounterLimit)
						return
					}
				}
			}
		})
	}
	for i := range 100 {
		online := []string{"5000.00", "6000.00"}[i%2]
		f.write("profile.yaml", "sms: {sender: Istirdad}\nlimits: {online_limit: \""+online+"\", counter_limit: \""+both[online]+"\"}\n")
		p.Profile.Reload(t.Context())
	}
	close(done)
	asking.Wait()
}

// TestProfileOfConfig: the profile is checked with the configuration that names it, and begins with what was found then.
func TestProfileOfConfig(t *testing.T) {
	f := newFolder(t)
	f.write("profile.yaml", "sms: {sender: Canary of the bank}\nlimits: {x: 1}\n")
	_, err := f.load(changed(`code: "80"`, `code: "8"`))
	if err == nil {
		t.Fatal("it is taken")
	}
	want := "gateway.yaml:21: bank.code: must be two digits in quotes\n" +
		"profile.yaml:2: limits.x: there is no such key\n" +
		"profile.yaml:1: sms.sender: must have 3 to 11 letters, digits, spaces, '.', '_' or '-'"
	if got := strings.ReplaceAll(err.Error(), f.path("")+"/", ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := f.load(changed("  profile_file: profile.yaml\n", "")); err == nil ||
		!strings.HasSuffix(err.Error(), "gateway.yaml: bank.profile_file: it is required") {
		t.Errorf("%v", err)
	}
	if _, err := f.load(changed("profile_file: profile.yaml", "profile_file: missing")); err == nil ||
		!strings.HasSuffix(err.Error(), "gateway.yaml:24: bank.profile_file: the file can't be read: no such file or directory") {
		t.Errorf("%v", err)
	}
	f.write("profile.yaml", limit("5000.00"))
	c := f.mustLoad(production)
	f.write("profile.yaml", "gone")
	p, err := c.Program(slog.New(slog.DiscardHandler))
	if err != nil || p.Profile.Terms().OnlineLimit != 5_000_00 || p.Profile.Terms().BankCode != "80" {
		t.Errorf("it begins with %+v, %v", p.Profile, err)
	}
	if _, err := config.LoadProfile(f.path("missing")); err == nil || !strings.HasSuffix(err.Error(), "missing: the file can't be read: no such file or directory") {
		t.Errorf("%v", err)
	}
}
