package api

import "github.com/istirdad/istirdad/bank"

// What the tests of this package look at from inside: the parsers, for fuzzing, and the tables.
var (
	ParseKey          = parseKey
	UnmarshalStrictly = unmarshalStrictly
	WantsEnglish      = wantsEnglish
	IsJSON            = isJSON
	NewProblem        = newProblem
	FaultCodeOf       = faultCode
	Printed           = printed
)

// BodyMax is how many bytes a body may have.
const BodyMax = bodyMax

// Row is what a problem's code says: its status and words.
type Row struct {
	Status        int
	Title, Detail bank.Text
}

// Rows are all codes that a problem may have.
func Rows() map[string]Row {
	rows := map[string]Row{}
	for code, k := range kinds {
		rows[code] = Row{k.status, k.title, k.detail}
	}
	for reason, status := range reasonStatus {
		rows[string(reason)] = Row{status, reason.Text(), reason.Text()}
	}
	return rows
}
