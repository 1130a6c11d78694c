package api_test

import (
	"bytes"
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/istirdad/istirdad/gateway/api"
)

// get is an answer without a token, and its body.
func get(t *testing.T, path, tag string) (*http.Response, []byte) {
	t.Helper()
	handler, err := api.New(api.Config{Reference: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	recorded := httptest.NewRecorder()
	handler.ServeHTTP(recorded, req)
	resp := recorded.Result()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// TestReferenceIsServed, to whoever asks, and again only when it has changed.
func TestReferenceIsServed(t *testing.T) {
	for path, media := range map[string]string{"/openapi.yaml": "application/yaml", "/reference": "text/html; charset=utf-8"} {
		resp, body := get(t, path, "")
		h := resp.Header
		if resp.StatusCode != 200 || h.Get("Content-Type") != media || h.Get("Cache-Control") != "public, no-cache" ||
			h.Get("ETag") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Request-Id") == "" || len(body) == 0 {
			t.Errorf("%s: %d %v", path, resp.StatusCode, h)
		}
		if path == "/openapi.yaml" && !bytes.Equal(body, api.Document()) {
			t.Error("it isn't the committed document")
		}
		again, body := get(t, path, h.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || len(body) != 0 || again.Header.Get("Cache-Control") != "public, no-cache" {
			t.Errorf("%s again: %d %v", path, again.StatusCode, again.Header)
		}
		if other, _ := get(t, path, `"another"`); other.StatusCode != 200 {
			t.Errorf("%s after a change: %d", path, other.StatusCode)
		}
	}
}

// TestReferenceAsksNobody: a browser that shows the page fetches nothing, runs nothing, and sends nothing.
func TestReferenceAsksNobody(t *testing.T) {
	resp, page := get(t, "/reference", "")
	policy := resp.Header.Get("Content-Security-Policy")
	if !regexp.MustCompile(`^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$`).MatchString(policy) {
		t.Errorf("the policy is %s", policy)
	}
	for _, forbidden := range []string{"<script", "<img", "<link", "<iframe", "<form", "<base", "style=", "url(", "@import", "src=", " on", "javascript:"} {
		if forbidden == " on" {
			if found := regexp.MustCompile(`<[^>]* on\w+=`).Find(page); found != nil {
				t.Errorf("there is %s", found)
			}
			continue
		}
		if bytes.Contains(page, []byte(forbidden)) {
			t.Errorf("there is %s", forbidden)
		}
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllSubmatch(page, -1) {
		to := string(link[1])
		if id, here := strings.CutPrefix(to, "#"); here && bytes.Contains(page, []byte(` id="`+id+`"`)) || to == "/openapi.yaml" {
			continue
		}
		t.Errorf("a link leads to %s", to)
	}
}

// TestReferenceTellsAll: every operation in the order of the path, with its fields and examples; every problem in both
// languages; every schema.
func TestReferenceTellsAll(t *testing.T) {
	_, source := get(t, "/reference", "")
	page := html.UnescapeString(string(source))
	for _, o := range documented(t) {
		_, section, found := strings.Cut(page, `<section class="call" id="`+o.ID+`">`)
		section, _, _ = strings.Cut(section, "</section>")
		if !found || !strings.Contains(section, o.path) {
			t.Errorf("%s isn't there", o.ID)
		}
		for _, p := range o.Parameters {
			if !strings.Contains(section, "<code>"+p.Name+"</code>") {
				t.Errorf("%s: no parameter %s", o.ID, p.Name)
			}
		}
		for status, response := range o.Responses {
			for _, code := range response.Codes {
				row := api.Rows()[code]
				if !strings.Contains(section, "<td>"+status+`</td><td><a href="#problem-`+code+`">`) ||
					!strings.Contains(section, row.Title.AR) || !strings.Contains(section, row.Title.EN) {
					t.Errorf("%s: no problem %s %s", o.ID, status, code)
				}
			}
		}
		if n := strings.Count(section, "<figure>"); n != len(o.Shown) {
			t.Errorf("%s: %d examples of %d", o.ID, n, len(o.Shown))
		}
	}
	for code, row := range api.Rows() {
		_, line, found := strings.Cut(page, `<tr id="problem-`+code+`">`)
		line, _, _ = strings.Cut(line, "</tr>")
		for _, words := range []string{row.Title.AR, row.Title.EN, row.Detail.AR, row.Detail.EN} {
			if !found || !strings.Contains(line, words) {
				t.Errorf("%s doesn't say %q", code, words)
			}
		}
	}
	var steps []int
	for _, id := range []string{"get-profile", "create-challenge", "verify-challenge", "list-payments", "list-services", "list-requests", "preview-refund", "confirm-refund", "get-refund"} {
		steps = append(steps, strings.Index(page, `id="`+id+`"`))
	}
	if !slices.IsSorted(steps) {
		t.Errorf("the path is told in the order %v", steps)
	}
}

// TestEverythingIsDescribed: each operation, parameter and field says what it is.
func TestEverythingIsDescribed(t *testing.T) {
	source, err := yaml.YAMLToJSON(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	decode(t, source, &document)
	for name, schema := range document.Components.Schemas {
		for field, of := range schema.Properties {
			if of.Description == "" {
				t.Errorf("%s.%s isn't described", name, field)
			}
		}
	}
	for _, o := range documented(t) {
		if o.Description == "" || o.Summary == "" {
			t.Errorf("%s isn't described", o.ID)
		}
		for _, p := range o.Parameters {
			if p.Description == "" {
				t.Errorf("%s: the parameter %s isn't described", o.ID, p.Name)
			}
		}
	}
}
