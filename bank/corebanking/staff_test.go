package corebanking_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/bank/corebanking"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
)

const employee = `{"employee":"E100","name":{"ar":"ماجد","en":"Majed"},"branch":"101","own_ids":["1900000074"],"relatives":["1900000033","2900000015"]}`

func party(t *testing.T, number string) saudi.Party {
	t.Helper()
	p, err := saudi.ParsePerson(number)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStaff(t *testing.T) {
	var path string
	c := dialled(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.Method + " " + r.RequestURI
		fmt.Fprint(w, employee)
	})
	got, err := c.Staff(t.Context(), "E100")
	if err != nil {
		t.Fatal(err)
	}
	want := bank.Staff{
		Employee: "E100", Name: moi.Name{AR: "ماجد", EN: "Majed"}, Branch: "101",
		Barred: []saudi.Party{party(t, "1900000074"), party(t, "1900000033"), party(t, "2900000015")},
	}
	if !reflect.DeepEqual(got, want) || path != "GET /bank/v1/staff/E100" {
		t.Errorf("%s: got %+v, want %+v", path, got, want)
	}
}

// TestStaffAnswers: whoever may not be served is believed whole or not at all.
func TestStaffAnswers(t *testing.T) {
	const undocumented, malformed = "unknown: undocumented", "unknown: malformed"
	for name, row := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"as it is":          {200, employee, "found"},
		"more fields":       {200, strings.Replace(employee, "{", `{"grade":7,`, 1), "found"},
		"nobody":            {200, strings.NewReplacer(`["1900000074"]`, "[]", `["1900000033","2900000015"]`, "[]").Replace(employee), "found"},
		"not found":         {404, `{"code":"not_found"}`, "not found"},
		"created":           {201, employee, undocumented},
		"unavailable":       {503, employee, "unknown: unavailable"},
		"somebody else":     {200, strings.Replace(employee, "E100", "E101", 1), "unknown: mismatch"},
		"no JSON":           {200, "<html>", malformed},
		"own unsaid":        {200, strings.Replace(employee, "own_ids", "others", 1), undocumented},
		"own null":          {200, strings.Replace(employee, `["1900000074"]`, "null", 1), undocumented},
		"relatives unsaid":  {200, strings.Replace(employee, "relatives", "friends", 1), undocumented},
		"a number":          {200, strings.Replace(employee, `"1900000074"`, "1900000074", 1), malformed},
		"wrong check digit": {200, strings.Replace(employee, "1900000074", "1900000075", 1), undocumented},
		"own twice":         {200, strings.Replace(employee, "{", `{"own_ids":[],`, 1), malformed},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialled(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
			})
			staff, err := c.Staff(t.Context(), "E100")
			if got := found(t, err); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if err != nil && !reflect.DeepEqual(staff, bank.Staff{}) {
				t.Errorf("%+v beside %v", staff, err)
			}
		})
	}
	asked := false
	c := dialled(t, func(http.ResponseWriter, *http.Request) { asked = true })
	if _, err := c.Staff(t.Context(), ".."); !errors.Is(err, bank.ErrNotFound) || asked {
		t.Error("a name that nobody can have was asked about")
	}
}

// TestFind: the number travels in the body, and only the customer who has it is believed.
func TestFind(t *testing.T) {
	for name, row := range map[string]struct {
		number string
		status int
		body   string
		want   string
	}{
		"as it is":              {"1900000017", 200, record, "found"},
		"nobody":                {"1900000017", 404, `{"code":"not_found"}`, "not found"},
		"somebody else":         {"1900000025", 200, record, "unknown: mismatch"},
		"without an id of ours": {"1900000017", 200, strings.Replace(record, `"p01"`, `""`, 1), "unknown: mismatch"},
		"an id not to be seen":  {"1900000017", 200, strings.Replace(record, `"p01"`, `"p\n01"`, 1), "unknown: mismatch"},
		"not whole":             {"1900000017", 200, strings.Replace(record, `"language":"en"`, `"language":"fr"`, 1), "unknown: undocumented"},
		"created":               {"1900000017", 201, record, "unknown: undocumented"},
		"down":                  {"1900000017", 500, "", "unknown: server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked map[string]string
			var path string
			c := dialled(t, func(w http.ResponseWriter, r *http.Request) {
				path = r.Method + " " + r.RequestURI
				body, _ := io.ReadAll(r.Body)
				_ = json.Unmarshal(body, &asked)
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
			})
			customer, err := c.Find(t.Context(), party(t, row.number))
			if got := found(t, err); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if path != "POST /bank/v1/customers/search" || len(asked) != 1 || asked["id_number"] != row.number {
				t.Errorf("%s with %v", path, asked)
			}
			if err == nil && (customer.ID != "p01" || len(customer.Accounts) != 2) || err != nil && !reflect.DeepEqual(customer, bank.Customer{}) {
				t.Errorf("%+v beside %v", customer, err)
			}
		})
	}
	server := serve(t, nil)
	server.Close()
	c := client(t, corebanking.Config{URL: server.URL})
	if _, err := c.Find(t.Context(), party(t, "1900000017")); err == nil || errors.Is(err, bank.ErrNotFound) {
		t.Error(err)
	}
}
