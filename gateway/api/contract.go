package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// contract is the OpenAPI document before the routes are in it.
func contract() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Istirdad channel API",
				Version: "1.0.0",
				Description: "Giving back Saudi government-service fees that were paid and never used: " +
					"profile, one-time code, payments, service, request, account and ID number, continue, confirm.\n\n" +
					"Times are RFC 3339 in UTC with six decimals. Amounts are strings with two decimals, in SAR. " +
					"Identifiers, accounts and codes may be typed with Arabic or Persian digits. " +
					"Refusals are application/problem+json with a stable `code`; `Accept-Language` picks their language.",
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "http://127.0.0.1:8080", Description: "The sandbox"}},
			Tags: []*huma.Tag{
				{Name: "Profile and codes", Description: "Who is calling, and the proof that their phone is in somebody's hand (steps 3 and 4)."},
				{Name: "Payments", Description: "What was paid, and whether it can come back (steps 5 to 8)."},
				{Name: "Refunds", Description: "Preview, confirm, and what becomes of it (steps 9 to 11)."},
				{Name: "Counter", Description: "A customer before a teller. Once they have proved that they are there, the teller walks the same path with their own token and the header Assisted-Session."},
				{Name: "Approvals", Description: "A second person at the bank: what awaits their decision, and the customers whom they let in again."},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "Of the bank's OpenID Connect issuer, audience istirdad."},
					"assisted": {
						Type: "apiKey", In: "header", Name: assistedHeader,
						Description: "The assisted session of the customer whom the call is about: with a teller's token, and with no other.",
					},
				},
				Headers: map[string]*huma.Header{
					"X-Request-Id":     {Description: "Of this answer alone; what support asks for.", Schema: &huma.Schema{Type: huma.TypeString}},
					"WWW-Authenticate": {Description: "RFC 9110, section 11.6.1.", Schema: &huma.Schema{Type: huma.TypeString}},
					"Retry-After":      {Description: "Seconds, where waiting helps.", Schema: &huma.Schema{Type: huma.TypeInteger}},
				},
			},
		},
		Formats:       formats(),
		DefaultFormat: "application/json",
	}
}

// operation is a route, and what the contract says of it beside its types.
type operation struct {
	huma.Operation
	refused  string // codes of the problems that are this route's own, in the order in which they are looked for
	examples []example
}

// answers sets the status of the answer when all is well, where it isn't 200.
func (o operation) answers(status int) operation {
	o.DefaultStatus = status
	return o
}

// says is what somebody reads who sees the route for the first time (Markdown).
func (o operation) says(description string) operation {
	o.Description = description
	return o
}

// refuses names the codes of the problems that are this route's own, in the order in which they are looked for.
func (o operation) refuses(codes string) operation {
	o.refused = codes
	return o
}

// shows gives examples, one at least. A test replays each against a running world.
func (o operation) shows(examples ...example) operation {
	o.examples = examples
	return o
}

// example is one request and its answer. In the document the name ties the two together.
type example struct {
	name    string
	summary string
	as      string            // who calls, of the people of the sandbox
	with    map[string]string // parameters, by name
	body    string            // JSON; empty: none
	answer  any               // nil when there is a refusal, or nothing in the answer
	refused error             // what the problem is the answer to
}

// describe adds to a route that was registered the problems that it may answer with, and its examples.
func describe(api huma.API, d door, o operation) *huma.Operation {
	document := api.OpenAPI()
	described := operationOf(document, o.Method, o.Path)
	delete(described.Responses, "default")
	refuses := "unauthenticated forbidden " + d.refuses + " " + o.refused + " try_again internal"
	if takesForm(described) {
		refuses = "malformed_request " + refuses
	}
	seen := map[string]bool{}
	for code := range strings.FieldsSeq(refuses) {
		if !seen[code] {
			refuse(described, document, code)
		}
		seen[code] = true
	}
	for status, response := range described.Responses {
		response.Headers = headersOf(status, response.Headers)
	}
	var shown []shownExample
	for _, e := range o.examples {
		shown = append(shown, e.show(described))
	}
	described.Extensions = map[string]any{"x-examples": shown}
	return described
}

func operationOf(document *huma.OpenAPI, method, path string) *huma.Operation {
	item := document.Paths[path]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodDelete: item.Delete,
		http.MethodPut: item.Put, http.MethodPatch: item.Patch,
	}[method]
}

// takesForm reports whether there is more to a request than ids in its path.
func takesForm(o *huma.Operation) bool {
	return o.RequestBody != nil || slices.ContainsFunc(o.Parameters, func(p *huma.Param) bool { return p.In != "path" })
}

const (
	problemMedia = "application/problem+json"
	codesOf      = "x-problem-codes" // of a response: the codes that the problem may have
)

// refuse adds a code to those that the route may answer with.
func refuse(o *huma.Operation, document *huma.OpenAPI, code string) {
	k := kindOf(code)
	status := strconv.Itoa(k.status)
	response := o.Responses[status]
	if response == nil {
		response = &huma.Response{
			Content:    map[string]*huma.MediaType{problemMedia: {Schema: schemaOf[Problem](document.Components.Schemas)}},
			Extensions: map[string]any{codesOf: []string{}},
		}
		o.Responses[status] = response
	} else {
		response.Description += "\n"
	}
	response.Extensions[codesOf] = append(response.Extensions[codesOf].([]string), code)
	response.Description += "- `" + code + "`: " + k.detail.EN
}

// headersOf are the headers of an answer that the contract promises, beside those of its type.
func headersOf(status string, own map[string]*huma.Header) map[string]*huma.Header {
	headers := map[string]*huma.Header{"X-Request-Id": {Ref: "#/components/headers/X-Request-Id"}}
	maps.Copy(headers, own)
	switch status {
	case "401":
		headers["WWW-Authenticate"] = &huma.Header{Ref: "#/components/headers/WWW-Authenticate"}
	case "409", "423", "429", "503":
		headers["Retry-After"] = &huma.Header{Ref: "#/components/headers/Retry-After"}
	}
	return headers
}

// shownExample says of an example what has no place beside its values: in x-examples of the operation, in order.
type shownExample struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	As      string `json:"as"`
	Status  int    `json:"status"`
}

// show writes the example's values where they belong: to the parameters, the body, and the answer.
func (e example) show(o *huma.Operation) shownExample {
	one := func(value any) map[string]*huma.Example {
		return map[string]*huma.Example{e.name: {Summary: e.summary, Value: value}}
	}
	for _, p := range o.Parameters {
		if value, given := e.with[p.Name]; given {
			p.Example = nil
			p.Examples = with(p.Examples, one(value))
		}
	}
	if e.body != "" {
		media := o.RequestBody.Content["application/json"]
		media.Examples = with(media.Examples, one(json.RawMessage(e.body)))
	}
	shown := shownExample{e.name, e.summary, e.as, o.DefaultStatus}
	if shown.Status == 0 {
		shown.Status = http.StatusOK
	}
	answer := e.answer
	if e.refused != nil {
		problem := newProblem(e.context(o), e.refused)
		shown.Status, answer = problem.Status, problem
	}
	if answer != nil {
		for _, media := range o.Responses[strconv.Itoa(shown.Status)].Content {
			media.Examples = with(media.Examples, one(answer))
		}
	}
	return shown
}

func with(all, more map[string]*huma.Example) map[string]*huma.Example {
	if all == nil {
		return more
	}
	maps.Copy(all, more)
	return all
}

// context is of the example's request, for the problem that it is answered with: in English.
func (e example) context(o *huma.Operation) context.Context {
	path := o.Path
	for name, value := range e.with {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return context.WithValue(context.Background(), requestKey{}, request{id: sampleRequestID, path: path, english: true})
}

// openAnswers lets answers have more fields than the contract names: they may be added, and no client may mind.
// Bodies of requests stay closed.
func openAnswers(o *huma.OpenAPI) {
	for name, schema := range o.Components.Schemas.Map() {
		if !strings.HasSuffix(name, "InputBody") {
			schema.AdditionalProperties = nil
		}
	}
}

// nameCodes lists the codes that a problem may have, so that clients made of the contract know them by name.
func nameCodes(o *huma.OpenAPI) {
	code := o.Components.Schemas.Map()["Problem"].Properties["code"]
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		code.Enum = append(code.Enum, name)
	}
	for _, reason := range slices.Sorted(maps.Keys(reasonStatus)) {
		code.Enum = append(code.Enum, string(reason))
	}
}

func schemaOf[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// OpenAPI is the contract as YAML: what openapi.yaml beside this file must equal.
func OpenAPI() ([]byte, error) {
	s, _, err := build(Config{})
	if err != nil {
		return nil, err
	}
	return s.huma.OpenAPI().YAML()
}
