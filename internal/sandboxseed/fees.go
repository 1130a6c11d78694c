package sandboxseed

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rules and prices change by decree, so they are data: one line each, with where
// it was read, how much that is worth, and the day from which it holds. They are
// the sandbox's own and never official.
var (
	//go:embed services.csv
	servicesFile []byte
	//go:embed fees.csv
	feesFile []byte

	rules = mustRead(servicesFile, readRule)
	fees  = mustRead(feesFile, readFee)
)

// Refundable says until when the fee of a service can come back.
type Refundable string

// The ways of Refundable.
const (
	UntilUsed   Refundable = "until_used"   // until the service is carried out
	UntilIssued Refundable = "until_issued" // until the visa is issued; cancelling it brings nothing back
	Never       Refundable = "never"        // fines, and what no list of refunds has
)

// Source is where a line of the data comes from.
type Source struct {
	Confidence string    `json:"confidence"` // high, medium or low
	Source     string    `json:"source"`
	ValidFrom  time.Time `json:"valid_from"` // the day from which the sandbox goes by it
}

// Rule is how the core treats the fees of one service.
type Rule struct {
	Service    string     `json:"service"` // "090-003"
	Refundable Refundable `json:"refundable"`
	Bucket     string     `json:"bucket"` // where its fees usually lie; empty where none ever waits
	Source
}

// Fee is something that can be paid for: a service with what was chosen, and its
// price. The bucket is the fee's and not the service's: a family member's
// renewal lies with the sponsorees, a worker's with the passports.
type Fee struct {
	ID      string `json:"fee"` // "iqama-quarter"
	Service string `json:"service"`
	Variant Name   `json:"variant"`
	Amount  int64  `json:"halalas"`
	Bucket  string `json:"bucket"`
	Source
}

// Rules returns those in force at that time, in the order of the file.
func Rules(at time.Time) []Rule { return inForce(rules, at) }

// RuleOf returns the rule of a service that is in force at that time. A service
// that the data doesn't have is treated as most are.
func RuleOf(service string, at time.Time) Rule {
	if r, found := last(rules, service, at); found {
		return r
	}
	return Rule{Service: service, Refundable: UntilUsed}
}

// Fees returns those in force at that time, in the order of the file.
func Fees(at time.Time) []Fee { return inForce(fees, at) }

// FeeOf returns the fee of that name as it is at that time.
func FeeOf(id string, at time.Time) (Fee, bool) { return last(fees, id, at) }

// dated is a line of the data: several may be of one thing, one after the other.
type dated interface {
	about() string
	from() time.Time
}

func (s Source) from() time.Time { return s.ValidFrom }
func (r Rule) about() string     { return r.Service }
func (f Fee) about() string      { return f.ID }

// last is the youngest line about one thing that has begun by then; before any
// has, the first to begin.
func last[T dated](lines []T, about string, at time.Time) (found T, ok bool) {
	for _, line := range lines {
		if line.about() != about {
			continue
		}
		begun, better := !line.from().After(at), !ok
		if ok && begun {
			better = found.from().After(at) || line.from().After(found.from())
		} else if ok {
			better = line.from().Before(found.from())
		}
		if better {
			found, ok = line, true
		}
	}
	return found, ok
}

func inForce[T dated](lines []T, at time.Time) (all []T) {
	for _, line := range lines {
		if held, ok := last(lines, line.about(), at); ok && held.from().Equal(line.from()) {
			all = append(all, line)
		}
	}
	return all
}

// mustRead reads a file that is part of the program.
func mustRead[T any](file []byte, read func(line map[string]string) (T, error)) []T {
	all, err := readLines(file, read)
	if err != nil {
		panic("sandboxseed: " + err.Error())
	}
	return all
}

func readLines[T any](file []byte, read func(line map[string]string) (T, error)) ([]T, error) {
	table, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		return nil, err
	}
	var all []T
	for i, cells := range table[1:] {
		line := map[string]string{}
		for column, cell := range cells {
			line[table[0][column]] = cell
		}
		one, err := read(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func readRule(line map[string]string) (Rule, error) {
	r := Rule{Service: line["service"], Refundable: Refundable(line["refundable"]), Bucket: line["bucket"]}
	switch r.Refundable {
	case UntilUsed, UntilIssued, Never:
	default:
		return r, fmt.Errorf("refundable is %q", r.Refundable)
	}
	var err error
	r.Source, err = readSource(line)
	return r, err
}

func readFee(line map[string]string) (Fee, error) {
	amount, err := strconv.ParseInt(line["halalas"], 10, 64)
	if err != nil || amount <= 0 {
		return Fee{}, fmt.Errorf("a price of %q halalas", line["halalas"])
	}
	f := Fee{ID: line["fee"], Service: line["service"], Variant: Name{AR: line["ar"], EN: line["en"]}, Amount: amount, Bucket: line["bucket"]}
	f.Source, err = readSource(line)
	return f, err
}

func readSource(line map[string]string) (Source, error) {
	from, err := time.ParseInLocation(time.DateOnly, line["valid_from"], riyadh)
	if err != nil {
		return Source{}, err
	}
	s := Source{Confidence: line["confidence"], Source: line["source"], ValidFrom: from}
	if !strings.Contains(" high medium low ", " "+s.Confidence+" ") || s.Source == "" {
		return Source{}, fmt.Errorf("confidence %q, source %q", s.Confidence, s.Source)
	}
	return s, nil
}

// riyadh is UTC+3 all year.
var riyadh = time.FixedZone("Asia/Riyadh", 3*60*60)

// known is a fee that the cases are made of.
func known(id string, at time.Time) Fee {
	f, found := FeeOf(id, at)
	if !found {
		panic("sandboxseed: no fee " + id)
	}
	return f
}
