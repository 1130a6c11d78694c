package configs_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// stage is a part of Dockerfile, from its FROM to the next.
type stage struct {
	name, from string
	lines      []instruction
}

type instruction struct{ word, rest string }

// dockerfile reads the instructions of Dockerfile: comments dropped, continued lines joined.
func dockerfile(t *testing.T) []stage {
	t.Helper()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var stages []stage
	continued := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if more, ok := strings.CutSuffix(line, "\\"); ok {
			continued += more
			continue
		}
		word, rest, _ := strings.Cut(continued+line, " ")
		continued = ""
		if word != "FROM" {
			if len(stages) == 0 {
				t.Fatalf("%s before the first FROM", word)
			}
			last := &stages[len(stages)-1]
			last.lines = append(last.lines, instruction{word, rest})
			continue
		}
		from, name, named := strings.Cut(rest, " AS ")
		if !named {
			t.Errorf("FROM %s has no name", rest)
		}
		stages = append(stages, stage{name: name, from: from})
	}
	return stages
}

func stageNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, s := range dockerfile(t) {
		names = append(names, s.name)
	}
	return names
}

func (s stage) of(word string) []string {
	var rests []string
	for _, i := range s.lines {
		if i.word == word {
			rests = append(rests, i.rest)
		}
	}
	return rests
}

func TestDockerfileBases(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z]+:\d+\.\d+\.\d+(-[a-z0-9.]+)?$`)
	known := []string{"scratch"}
	for _, s := range dockerfile(t) {
		if !slices.Contains(known, s.from) && !pinned.MatchString(s.from) {
			t.Errorf("stage %s: %s may be another image tomorrow", s.name, s.from)
		}
		known = append(known, s.name)
	}
}

// TestDockerfileGo: the compiler is the one that go.mod asks for, or newer.
func TestDockerfileGo(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(`(?m)^go (\d+)\.(\d+)`).FindSubmatch(mod)
	has := regexp.MustCompile(`^golang:(\d+)\.(\d+)\.`).FindStringSubmatch(dockerfile(t)[0].from)
	if wanted == nil || has == nil {
		t.Fatalf("go.mod says %q, the first stage is from %s", wanted, dockerfile(t)[0].from)
	}
	for i := 1; i <= 2; i++ {
		w, _ := strconv.Atoi(string(wanted[i]))
		h, _ := strconv.Atoi(has[i])
		if h != w {
			if h < w {
				t.Errorf("%s is older than go %s.%s of go.mod", dockerfile(t)[0].from, wanted[1], wanted[2])
			}
			return
		}
	}
}

func TestDockerfileBuilds(t *testing.T) {
	built := map[string]bool{}
	for _, s := range dockerfile(t) {
		for _, run := range s.of("RUN") {
			if !strings.Contains(run, "go build") {
				continue
			}
			for _, needed := range []string{"-tags nomsgpack", "-trimpath", `-ldflags "-s -w`} {
				if !strings.Contains(run, needed) {
					t.Errorf("stage %s builds without %s", s.name, needed)
				}
			}
			command := run[strings.LastIndex(run, " ")+1:]
			if _, err := os.Stat("../" + command); err != nil {
				t.Errorf("stage %s builds what isn't there: %v", s.name, err)
			}
			built[command] = true
		}
	}
	if !built["./cmd/gateway"] || !built["./cmd/sandbox"] || len(built) != 2 {
		t.Errorf("it builds %v", built)
	}
	if env := strings.Join(dockerfile(t)[0].of("ENV"), " "); !strings.Contains(env, "CGO_ENABLED=0") {
		t.Error("a binary that links the C library doesn't run in scratch")
	}
}

func TestDockerfileImages(t *testing.T) {
	stages := dockerfile(t)
	for _, s := range stages {
		if s.name != "gateway" && s.name != "sandbox" {
			continue
		}
		// A number, since whoever forbids root looks at the number and reads no /etc/passwd.
		if user := s.of("USER"); len(user) != 1 || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user[0]) {
			t.Errorf("%s runs as %q", s.name, user)
		}
		if entry := s.of("ENTRYPOINT"); len(entry) != 1 || !strings.HasPrefix(entry[0], "[") {
			t.Errorf("%s: a shell would stand between it and SIGTERM: %q", s.name, entry)
		}
		if len(s.of("RUN")) > 0 {
			t.Errorf("%s runs something", s.name)
		}
		for _, copied := range s.of("COPY") {
			if !strings.HasPrefix(copied, "--from=") {
				t.Errorf("%s copies from this machine: %s", s.name, copied)
			}
		}
	}
	last := stages[len(stages)-1]
	if last.name != "gateway" || last.from != "scratch" {
		t.Errorf("a build without a target makes %s from %s", last.name, last.from)
	}
	for _, copied := range last.of("COPY") {
		if strings.Contains(copied, "sandbox") {
			t.Error("the production image holds a stand-in")
		}
	}
	if !slices.ContainsFunc(last.of("COPY"), func(c string) bool { return strings.Contains(c, "ca-certificates.crt") }) {
		t.Error("without certificates of authorities it trusts nobody")
	}
}

// TestDockerignore: all is left out but what is named, so that a stray secret never gets into a layer.
func TestDockerignore(t *testing.T) {
	text, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	if len(rules) == 0 || rules[0] != "*" {
		t.Fatalf("it doesn't begin by leaving out everything: %q", rules)
	}
	for _, rule := range rules {
		if name, let := strings.CutPrefix(rule, "!"); let {
			if _, err := os.Stat("../" + name); err != nil {
				t.Errorf("it lets in what isn't there: %v", err)
			}
		}
	}
	for _, room := range []string{"bank", "cmd", "gateway", "internal", "otp", "go.mod", "go.sum"} {
		if !slices.Contains(rules, "!"+room) {
			t.Errorf("a build lacks %s", room)
		}
	}
}
