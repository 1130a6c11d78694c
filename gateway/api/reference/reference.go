// Package reference turns the contract of the channel API into one page for people: each call in the order of the path,
// with who may make it, what it takes and answers, by example, and every problem in both languages.
//
// The page is made once, of the OpenAPI document that the routes make, and is text and style alone: no script, no font,
// no picture, and nothing that is fetched from anybody.
package reference

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Text is a word or sentence in both languages.
type Text struct{ AR, EN string }

// Word is a code and what it means.
type Word struct {
	Code   string
	Status string // of a problem its HTTP status, of a state what customers are shown
	Title  Text
	Detail Text // zero: the title says it all
}

// Source is what the page is made of.
type Source struct {
	Document   *huma.OpenAPI
	Operations []*huma.Operation // in the order of the path
	Problems   []Word
	States     []Word
	Reasons    []Word
	Warnings   []Word
}

// Page is the page, and the policy under which a browser shows it and does nothing else.
type Page struct {
	HTML   []byte
	Policy string // for the header Content-Security-Policy
}

//go:embed reference.html
var source string

// Make makes the page.
func Make(s Source) (Page, error) {
	functions := template.FuncMap{"prose": prose, "paragraphs": paragraphs, "anchor": anchor}
	parsed, err := template.New("reference").Funcs(functions).Option("missingkey=error").Parse(source)
	if err != nil {
		return Page{}, err
	}
	v, err := s.view()
	if err != nil {
		return Page{}, err
	}
	var html bytes.Buffer
	if err := parsed.Execute(&html, v); err != nil {
		return Page{}, err
	}
	style, err := styleOf(html.Bytes())
	if err != nil {
		return Page{}, err
	}
	hash := sha256.Sum256(style)
	return Page{html.Bytes(), "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}, nil
}

// styleOf is the page's one style sheet, as a browser hashes it.
func styleOf(html []byte) ([]byte, error) {
	_, rest, opened := bytes.Cut(html, []byte("<style>"))
	style, rest, closed := bytes.Cut(rest, []byte("</style>"))
	if !opened || !closed || bytes.Contains(rest, []byte("<style")) {
		return nil, errors.New("reference: the page has not one style sheet")
	}
	return style, nil
}

// What the template shows.
type (
	view struct {
		Source
		Title, Version string
		Chapters       []*chapter
		Schemas        []schema
	}
	// chapter is what the document calls a tag.
	chapter struct {
		Name, Description string
		Calls             []call
	}
	call struct {
		*huma.Operation
		Who        []string
		Parameters []field
		Body       []field
		NeedsBody  bool
		Answers    []answer
		Problems   []problem
		Examples   []example
	}
	// field is a property or a parameter.
	field struct {
		Name, In    string
		Required    bool
		Type        kind
		Limits      []string
		Description string
	}
	// kind is a type in words, and the schema that it leads to.
	kind   struct{ Before, Link, After string }
	answer struct {
		Status  string
		Type    kind
		Media   string
		Headers []field
	}
	problem struct {
		Status, Code string
		Title        Text
	}
	example struct{ Summary, As, Request, Answer string }
	schema  struct {
		Name, Description string
		Fields            []field
		Type              kind // of a schema without fields
	}
)

// words are a table of codes. What their status is of stands at the head of its column.
type words struct {
	Words          []Word
	Status, Anchor string
}

func (v view) ProblemWords() words { return words{v.Source.Problems, "Status", "problem"} }
func (v view) StateWords() words   { return words{v.States, "Shown as", ""} }
func (v view) ReasonWords() words  { return words{v.Reasons, "", ""} }
func (v view) WarningWords() words { return words{v.Warnings, "", ""} }

func (s Source) view() (view, error) {
	v := view{Source: s, Title: s.Document.Info.Title, Version: s.Document.Info.Version}
	titles := map[string]Text{}
	for _, p := range s.Problems {
		titles[p.Code] = p.Title
	}
	for _, o := range s.Operations {
		c, err := s.call(o, titles)
		if err != nil {
			return view{}, fmt.Errorf("reference: %s: %w", o.OperationID, err)
		}
		in := s.chapter(&v, o.Tags[0])
		in.Calls = append(in.Calls, c)
	}
	schemas := s.Document.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		made := schema{Name: name, Description: schemas[name].Description, Fields: s.fields(schemas[name])}
		if len(made.Fields) == 0 {
			made.Type = s.kind(schemas[name])
		}
		v.Schemas = append(v.Schemas, made)
	}
	return v, nil
}

// chapter is the one of that name, which stands where its first call does.
func (s Source) chapter(v *view, name string) *chapter {
	for _, c := range v.Chapters {
		if c.Name == name {
			return c
		}
	}
	c := &chapter{Name: name}
	for _, tag := range s.Document.Tags {
		if tag.Name == name {
			c.Description = tag.Description
		}
	}
	v.Chapters = append(v.Chapters, c)
	return c
}

func (s Source) call(o *huma.Operation, titles map[string]Text) (call, error) {
	c := call{Operation: o, Who: who(o)}
	for _, p := range o.Parameters {
		f := s.field(p.Name, p.Schema, p.Required)
		if f.In = p.In; p.Description != "" {
			f.Description = p.Description
		}
		c.Parameters = append(c.Parameters, f)
	}
	if o.RequestBody != nil {
		c.NeedsBody = o.RequestBody.Required
		c.Body = s.fields(o.RequestBody.Content["application/json"].Schema)
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		response := o.Responses[status]
		codes, refusal := response.Extensions["x-problem-codes"].([]string)
		for _, code := range codes {
			c.Problems = append(c.Problems, problem{status, code, titles[code]})
		}
		if !refusal {
			c.Answers = append(c.Answers, s.answer(status, response))
		}
	}
	var err error
	c.Examples, err = examples(o)
	return c, err
}

// who may make a call, of its security requirements.
func who(o *huma.Operation) []string {
	var all []string
	for _, asked := range o.Security {
		words := "A token"
		if scopes := asked["bearer"]; len(scopes) > 0 {
			words += " with the scope `" + strings.Join(scopes, "`, `") + "`"
		}
		if _, assisted := asked["assisted"]; assisted {
			words += " and the header `Assisted-Session`"
		}
		all = append(all, words)
	}
	return all
}

func (s Source) answer(status string, response *huma.Response) answer {
	a := answer{Status: status}
	for media, content := range response.Content {
		a.Media, a.Type = media, s.kind(content.Schema)
	}
	for _, name := range slices.Sorted(maps.Keys(response.Headers)) {
		if header := response.Headers[name]; header.Ref == "" {
			f := s.field(name, header.Schema, false)
			f.Description = header.Description
			a.Headers = append(a.Headers, f)
		}
	}
	return a
}

// fields are a schema's, in the order in which their type declares them: the document's is that of the alphabet, but
// what is required is listed as it was declared.
func (s Source) fields(of *huma.Schema) []field {
	if of.Ref != "" {
		of = s.Document.Components.Schemas.SchemaFromRef(of.Ref)
	}
	names := slices.Clone(of.Required)
	for _, name := range slices.Sorted(maps.Keys(of.Properties)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	var all []field
	for _, name := range names {
		all = append(all, s.field(name, of.Properties[name], slices.Contains(of.Required, name)))
	}
	return all
}

func (s Source) field(name string, of *huma.Schema, required bool) field {
	return field{Name: name, Required: required, Type: s.kind(of), Limits: limits(of), Description: of.Description}
}

func (s Source) kind(of *huma.Schema) kind {
	name := of.Ref[strings.LastIndex(of.Ref, "/")+1:]
	switch {
	case name != "":
		return kind{Link: name}
	case len(of.OneOf) == 2 && of.OneOf[1].Type == "null":
		k := s.kind(of.OneOf[0])
		k.After += " or null"
		return k
	case len(of.OneOf) > 0:
		var words []string
		for _, one := range of.OneOf {
			words = append(words, s.kind(one).Link)
		}
		return kind{Before: strings.Join(words, " or ")}
	case of.Type == huma.TypeArray:
		k := s.kind(of.Items)
		k.Before = "list of " + k.Before
		return k
	}
	k := kind{Before: of.Type}
	if of.Format != "" && of.Format != "int64" {
		k.Before = of.Format
	}
	if of.Nullable {
		k.After = " or null"
	}
	return k
}

// limits are a schema's, in words.
func limits(of *huma.Schema) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	switch {
	case of.MinLength != nil && of.MaxLength != nil:
		say("%d to %d characters", *of.MinLength, *of.MaxLength)
	case of.MaxLength != nil:
		say("at most %d characters", *of.MaxLength)
	case of.MinLength != nil:
		say("at least %d characters", *of.MinLength)
	}
	if of.Minimum != nil && of.Maximum != nil {
		say("%v to %v", *of.Minimum, *of.Maximum)
	}
	if of.Default != nil {
		say("default %v", of.Default)
	}
	if len(of.Enum) > 0 && len(of.Enum) <= enumMax {
		var values []string
		for _, value := range of.Enum {
			values = append(values, fmt.Sprintf("`%v`", value))
		}
		say("%s", strings.Join(values, ", "))
	}
	if of.Pattern != "" {
		say("`%s`", of.Pattern)
	}
	if len(of.Examples) > 0 && len(of.Enum) == 0 {
		say("such as `%v`", of.Examples[0])
	}
	return all
}

// enumMax is how many values of a list are named beside it. The codes of problems have a table of their own.
const enumMax = 12

// examples are those of an operation, in its own order, each as it goes over the wire.
func examples(o *huma.Operation) ([]example, error) {
	raw, err := json.Marshal(o.Extensions["x-examples"])
	if err != nil {
		return nil, err
	}
	var shown []struct {
		Name, Summary, As string
		Status            int
	}
	if err := json.Unmarshal(raw, &shown); err != nil {
		return nil, err
	}
	var all []example
	for _, e := range shown {
		request, err := request(o, e.Name)
		if err != nil {
			return nil, err
		}
		answer := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
		for media, content := range o.Responses[strconv.Itoa(e.Status)].Content {
			if value, found := content.Examples[e.Name]; found {
				body, err := pretty(value.Value)
				if err != nil {
					return nil, err
				}
				answer += "\nContent-Type: " + media + "\n\n" + body
			}
		}
		all = append(all, example{Summary: e.Summary, As: e.As, Request: request, Answer: answer})
	}
	return all, nil
}

func request(o *huma.Operation, name string) (string, error) {
	path, query, headers := o.Path, "", "\nAuthorization: Bearer …"
	for _, p := range o.Parameters {
		given, found := p.Examples[name]
		if !found {
			continue
		}
		switch value := fmt.Sprint(given.Value); p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
		case "query":
			query += "&" + p.Name + "=" + value
		case "header":
			headers += "\n" + p.Name + ": " + value
		}
	}
	if query != "" {
		path += "?" + query[1:]
	}
	text := o.Method + " " + path + headers
	if o.RequestBody == nil {
		return text, nil
	}
	for media, content := range o.RequestBody.Content {
		if value, found := content.Examples[name]; found {
			body, err := pretty(value.Value)
			if err != nil {
				return "", err
			}
			text += "\nContent-Type: " + media + "\n\n" + body
		}
	}
	return text, nil
}

// pretty is a value as JSON for reading, its fields in the order in which its type declares them. A text stands as it is.
func pretty(value any) (string, error) {
	if text, is := value.(string); is {
		return text, nil
	}
	var raw, indented bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return "", err
	}
	err := json.Indent(&indented, bytes.TrimSpace(raw.Bytes()), "", "  ")
	return indented.String(), err
}

// piece is a part of a sentence.
type piece struct {
	Text string
	Code bool
}

// prose tells `code` from words.
func prose(text string) []piece {
	var pieces []piece
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			pieces = append(pieces, piece{part, i%2 == 1})
		}
	}
	return pieces
}

func paragraphs(text string) []string { return strings.Split(text, "\n\n") }

// anchor is a name as part of a URL.
func anchor(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "-")) }
