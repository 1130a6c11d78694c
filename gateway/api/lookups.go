package api

import (
	"context"
	"net/http"

	"github.com/istirdad/istirdad/bank"
)

// Looks is how often an employee looked at customers on a day, at one branch.
type Looks struct {
	Employee  string `json:"employee" doc:"The person, by whichever login." example:"E100"`
	Branch    string `json:"branch" doc:"Where." example:"101"`
	Day       string `json:"day" format:"date" doc:"In Riyadh." example:"2026-03-05"`
	Looks     int    `json:"looks" doc:"All of them but those that were refused."`
	Unknown   int    `json:"unknown" doc:"Of these: nobody had the number."`
	Forbidden int    `json:"forbidden" doc:"Of these: the number was the employee's own, or a relative's."`
	Refused   int    `json:"refused" doc:"Beside these: there had been too many."`
	Limit     int    `json:"limit" doc:"Of a day, over all branches." example:"50"`
}

func looksOf(t bank.LookupTally) Looks {
	return Looks{
		Employee: t.Employee, Branch: t.Branch, Day: t.Day.String(), Looks: t.Looks(), Unknown: t.Unknown, Forbidden: t.Forbidden,
		Refused: t.Refused, Limit: bank.LookupsMax,
	}
}

// Of t01, who served p08 and p12 and wasn't served their brother.
var sampleLooks = Looks{Employee: "E100", Branch: "101", Day: "2026-03-05", Looks: 3, Forbidden: 1, Limit: bank.LookupsMax}

// listLookups is what a supervisor sees of those who look at customers.
func (s *server) listLookups() {
	routeThrough(s, approvers, op("list-lookups", http.MethodGet, "/v1/lookups", "How tellers look at customers", "Approvals").
		says("How often each employee has looked at customers, by day, the latest first: at the supervisor's own branch, or at all of "+
			"them for the back office. Whoever looks for numbers that nobody has, at their own family, or at as many as they may, "+
			"should be asked why. Whom they looked at isn't told here: that is on record for auditors.").
		shows(
			example{
				name: "branch", summary: "What t01 did today", as: "a01", with: map[string]string{"limit": "20"},
				answer: List[Looks]{Items: []Looks{sampleLooks}},
			},
		),
		func(ctx context.Context, c bank.Caller, in *Paged) (*answer[List[Looks]], error) {
			return listed(looksOf)(s.Path.LookupTallies(ctx, c, in.page()))
		})
}
