package api

import (
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
			},
		},
		Formats:       formats(),
		DefaultFormat: "application/json",
	}
}

// describe adds to a route what all of them have: the problems that it may answer with.
func describe(api huma.API, o *huma.Operation) {
	problem := schemaOf[Problem](api.OpenAPI().Components.Schemas)
	o.Responses = map[string]*huma.Response{}
	for _, status := range []int{400, 401, 403, 404, 409, 410, 422, 423, 429, 500, 503} {
		o.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
		}
	}
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
