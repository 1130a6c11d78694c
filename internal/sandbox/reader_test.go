package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/istirdad/istirdad/bank/banktest"
)

// reader is somebody in front of the portal's pages, with links, fields and buttons, as they are there: a link that isn't
// on the page can't be followed.
type reader struct {
	t       *testing.T
	w       *banktest.World
	client  *http.Client
	english bool
	at      *url.URL
	page    *html.Node
	typed   url.Values
}

// inBothLanguages walks the pages from the portal's entrance, each time in a world at its seed.
func inBothLanguages(t *testing.T, w *banktest.World, walk func(*testing.T, *reader)) {
	t.Helper()
	for _, english := range []bool{false, true} {
		t.Run(fmt.Sprintf("pages, in English %t", english), func(t *testing.T) {
			w := w.For(t)
			w.Reset()
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			r := &reader{t: t, w: w, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
			r.open(http.MethodGet, w.URLs().Core+"/", nil) // which leads to the portal
			if r.isMarked(); english {
				r.press("English", "English")
				r.english = true
			}
			walk(t, r)
		})
	}
}

// open gets a page, or sends a form to get one.
func (r *reader) open(method, address string, form url.Values) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	if r.page, err = html.Parse(io.LimitReader(answer.Body, 1<<20)); err != nil {
		r.t.Fatal(err)
	}
	r.at, r.typed = answer.Request.URL, url.Values{}
	if answer.StatusCode >= http.StatusInternalServerError || answer.StatusCode == http.StatusNotFound {
		r.t.Fatalf("%s %s: %d", method, r.at.Path, answer.StatusCode)
	}
	for n := range r.page.Descendants() {
		if n.DataAtom == atom.Script {
			r.t.Errorf("%s has a script", r.at.Path)
		}
	}
	if r.at.RawQuery != "" {
		r.t.Errorf("the page's address says %s", r.at)
	}
}

// isMarked: nobody takes this for the real thing, and Arabic comes first.
func (r *reader) isMarked() {
	r.t.Helper()
	r.says("وليست موقعًا رسميًا", "")
	for n := range r.page.Descendants() {
		if n.DataAtom == atom.Html && (attribute(n, "lang") != "ar" || attribute(n, "dir") != "rtl") {
			r.t.Errorf("the first page is in %q, written %q", attribute(n, "lang"), attribute(n, "dir"))
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what is read, with single blanks.
func text(n *html.Node) string {
	var all []string
	for child := range n.Descendants() {
		if child.Type == html.TextNode && child.Parent.DataAtom != atom.Title {
			all = append(all, strings.Fields(child.Data)...)
		}
	}
	return strings.Join(all, " ")
}

func (r *reader) in(ar, en string) string {
	if r.english {
		return en
	}
	return ar
}

func (r *reader) says(ar, en string) {
	r.t.Helper()
	if want := r.in(ar, en); !strings.Contains(text(r.page), want) {
		r.t.Fatalf("%s doesn't say %q:\n%s", r.at.Path, want, text(r.page))
	}
}

// find is the shortest of these that says so.
func (r *reader) find(what atom.Atom, ar, en string) *html.Node {
	r.t.Helper()
	var found *html.Node
	for n := range r.page.Descendants() {
		if n.DataAtom == what && strings.Contains(text(n), r.in(ar, en)) && (found == nil || len(text(n)) < len(text(found))) {
			found = n
		}
	}
	if found == nil {
		r.t.Fatalf("%s has no %s that says %q:\n%s", r.at.Path, what, r.in(ar, en), text(r.page))
	}
	return found
}

func (r *reader) follow(ar, en string) {
	r.t.Helper()
	r.open(http.MethodGet, r.absolute(attribute(r.find(atom.A, ar, en), "href")), nil)
}

func (r *reader) absolute(path string) string {
	r.t.Helper()
	to, err := r.at.Parse(path)
	if err != nil || to.Host != r.at.Host {
		r.t.Fatalf("%s leads to %s", r.at.Path, path)
	}
	return to.String()
}

func (r *reader) fill(field, value string) { r.typed.Set(field, value) }

// field is what a field holds.
func (r *reader) field(name string) string {
	r.t.Helper()
	for n := range r.page.Descendants() {
		if n.DataAtom == atom.Input && attribute(n, "name") == name {
			return attribute(n, "value")
		}
	}
	r.t.Fatalf("%s has no field %s", r.at.Path, name)
	return ""
}

// press sends the form of a button, with what its fields hold and what was typed.
func (r *reader) press(ar, en string) {
	r.t.Helper()
	button := r.find(atom.Button, ar, en)
	form := button.Parent
	for form.DataAtom != atom.Form {
		form = form.Parent
	}
	values := url.Values{}
	if name := attribute(button, "name"); name != "" {
		values.Set(name, attribute(button, "value"))
	}
	choices := map[string][]string{}
	for n := range form.Descendants() {
		if n.DataAtom != atom.Input {
			continue
		}
		name, value := attribute(n, "name"), attribute(n, "value")
		if attribute(n, "type") == "radio" {
			choices[name] = append(choices[name], value)
			continue
		}
		if typed := r.typed.Get(name); typed != "" {
			value = typed
		}
		values.Set(name, value)
	}
	for name, offered := range choices {
		if !slices.Contains(offered, r.typed.Get(name)) {
			r.t.Fatalf("%s offers %v, not %q", r.at.Path, offered, r.typed.Get(name))
		}
		values.Set(name, r.typed.Get(name))
	}
	r.open(http.MethodPost, r.absolute(attribute(form, "action")), values)
}

func (r *reader) signIn(user string) {
	r.t.Helper()
	r.fill("username", user)
	r.fill("password", banktest.Password)
	r.press("دخول", "Sign in")
}
