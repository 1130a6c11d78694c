package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxcore"
)

// Verdict is what the referee finds. All is well when doubles, lost and lies are zero.
type Verdict struct {
	Confirmed  int      `json:"confirmed"`  // refunds answered 202
	Effects    int      `json:"effects"`    // releases at the core under a bank's references
	Doubles    int      `json:"doubles"`    // requests released more than once net, references credited twice or both credited and returned
	Lost       int      `json:"lost"`       // answered 202, or money moved, and no row
	Lies       int      `json:"lies"`       // final statuses, and credits, that the books contradict
	Unfinished int      `json:"unfinished"` // rows that are not final yet
	Verdict    string   `json:"verdict"`    // exact or violated
	Details    []string `json:"details"`    // one line per violation: what, and all that is known of the refund
}

// The verdicts.
const (
	Exact    = "exact"
	Violated = "violated"
)

// rows is the gateway's book, for the referee's eyes, which see nothing that is sealed.
type rows interface {
	States(ctx context.Context, visit func(id, reference string, state gateway.State) error) error
}

// A file is everything that is known of one reference: what the gateway recorded, what the customer was told, and what
// the core and the bank did.
type file struct {
	reference string
	id        string        // of the row; empty: there is none
	state     gateway.State // of the row
	late      bool          // the row is younger than what was read of the books
	told      []gateway.Status
	caught    map[gateway.Status]string // what the books said against it when it was told
	core      sandboxcore.Effect        // zero: the core never accepted it
	credit    sandboxbank.Credit        // zero: the bank never heard of it
}

// files are those of a world, by reference.
type files map[string]*file

func (fs files) open(reference string) *file {
	f := fs[reference]
	if f == nil {
		f = &file{reference: reference}
		fs[reference] = f
	}
	return f
}

// books are those of core and bank.
type books struct {
	effects []sandboxcore.Effect
	credits []sandboxbank.Credit
}

// judge holds what was told and what the rows say against the books. It looks in the order in which things happen the
// other way round: what was told, then the rows, then the books, which only ever grow. So whatever it has heard of must
// be in what it reads next, also while refunds are on their way.
//
// The other way round it is careful: money that moved without a row is believed only when a second look at the rows
// finds none either.
func (r *referee) judge(ctx context.Context, rows rows, readBooks func() books) (Verdict, error) {
	heard := r.told()
	fs := files{}
	rowOf := map[string]*file{} // by refund
	readRows := func(late bool) error {
		return rows.States(ctx, func(id, reference string, state gateway.State) error {
			f := fs.open(reference)
			if f.id == "" {
				f.id, f.state, f.late = id, state, late
			}
			rowOf[id] = f
			return nil
		})
	}
	if err := readRows(false); err != nil {
		return Verdict{}, err
	}
	b := readBooks()
	fs.enter(b)
	if fs.someMovedWithoutRow() {
		if err := readRows(true); err != nil {
			return Verdict{}, err
		}
	}

	v := Verdict{Confirmed: len(heard), Details: []string{}}
	v.readAnswers(heard, rowOf, fs)
	v.readFiles(fs)
	v.readRequests(b.effects, fs)
	slices.Sort(v.Details)
	v.Verdict = Exact
	if v.Doubles+v.Lost+v.Lies > 0 {
		v.Verdict = Violated
	}
	return v, nil
}

// enter puts what core and bank did on file.
func (fs files) enter(b books) {
	for _, e := range b.effects {
		if e.Channel != "bank" {
			continue
		}
		f := fs.open(e.Reference) // whose money a forgetful core may have released before
		e.Released, e.Returned, e.Reversed = e.Released+f.core.Released, e.Returned+f.core.Returned, e.Reversed+f.core.Reversed
		f.core = e
	}
	for _, c := range b.credits {
		fs.open(c.Reference).credit = c
	}
}

func (fs files) someMovedWithoutRow() bool {
	for _, f := range fs {
		if f.id == "" && f.moved() {
			return true
		}
	}
	return false
}

// violation counts one, and says all that is known of the refund.
func (v *Verdict) violation(count *int, f *file, format string, args ...any) {
	*count++
	v.Details = append(v.Details, fmt.Sprintf(format, args...)+f.String())
}

// readAnswers looks at what customers were told of, and puts it on file.
func (v *Verdict) readAnswers(all map[string][]told, rowOf map[string]*file, fs files) {
	for id, answers := range all {
		row := rowOf[id]
		for _, a := range answers {
			f, status := fs.open(a.Reference), gateway.Status(a.Status)
			if !slices.Contains(f.told, status) {
				f.told = append(f.told, status)
			}
			if a.Caught != "" {
				if f.caught == nil {
					f.caught = map[gateway.Status]string{}
				}
				f.caught[status] = a.Caught
			}
			if row != nil && a.Reference != row.reference {
				v.violation(&v.Lies, row, "lie: told %s, recorded %s", a.Reference, row.reference)
			}
		}
		if row == nil {
			v.violation(&v.Lost, fs.open(answers[0].Reference), "lost: %s was answered 202 and has no row", answers[0].Reference)
		}
	}
}

// readFiles holds the stories of each reference against each other.
func (v *Verdict) readFiles(fs files) {
	for _, f := range fs {
		v.Effects += f.core.Released
		if f.id != "" && !f.state.Final() {
			v.Unfinished++
		}
		if f.credit.Posted > 0 && f.core.Returned > 0 {
			v.violation(&v.Doubles, f, "double: %s both credited and returned", f.reference)
		}
		if f.credit.Posted > 1 {
			v.violation(&v.Doubles, f, "double: %s credited %d times", f.reference, f.credit.Posted)
		}
		if f.id == "" && f.moved() {
			v.violation(&v.Lost, f, "lost: money moved under %s, which has no row", f.reference)
		}
		if said := f.contradict(f.state.Status()); f.state.Final() && !f.late && said != "" {
			v.violation(&v.Lies, f, "lie: %s is %s, but %s", f.reference, f.state, said)
		}
		for _, status := range f.told {
			if said := cmp.Or(f.caught[status], f.contradict(status)); said != "" {
				v.violation(&v.Lies, f, "lie: %s was told %s, but %s", f.reference, status, said)
			}
		}
		if said := f.credited(); said != "" {
			v.violation(&v.Lies, f, "lie: %s", said)
		}
	}
}

// readRequests looks whether a payment came back more than once, by whatever channels.
func (v *Verdict) readRequests(effects []sandboxcore.Effect, fs files) {
	net := map[string]int{}
	by := map[string][]sandboxcore.Effect{}
	for _, e := range effects {
		net[e.RequestID] += e.Released - e.Returned
		by[e.RequestID] = append(by[e.RequestID], e)
	}
	for request, n := range net {
		if n <= 1 {
			continue
		}
		text := fmt.Sprintf("double: request %s released %d times net", request, n)
		for _, e := range by[request] {
			if e.Channel == "bank" {
				text += fs.open(e.Reference).String()
			} else {
				text += fmt.Sprintf("; %s %s: released %d, returned %d", e.Channel, e.Reference, e.Released, e.Returned)
			}
		}
		v.Doubles++
		v.Details = append(v.Details, text)
	}
}

// moved: money left the core, or came to the customer.
func (f *file) moved() bool { return f.core.Released > 0 || f.credit.Posted > 0 }

// contradict says what the books hold against a status that is final; empty when nothing.
func (f *file) contradict(status gateway.Status) string {
	released, returned, posted := f.core.Released, f.core.Returned, f.credit.Posted
	switch status {
	case gateway.StatusCompleted:
		if released-returned != 1 || posted != 1 {
			return fmt.Sprintf("the core released it %d times net and the bank credited it %d times", released-returned, posted)
		}
	case gateway.StatusRejected, gateway.StatusCancelled:
		if released > 0 || posted > 0 {
			return fmt.Sprintf("the core released it %d times and the bank credited it %d times", released, posted)
		}
	case gateway.StatusVisitBranch:
		if released != returned+f.core.Reversed || posted > 0 { // of one that the core reversed there is nothing left to return
			return fmt.Sprintf("the core released it %d times, took it back %d times, and the bank credited it %d times", released, returned, posted)
		}
	case gateway.StatusProcessing:
		// Says nothing that a book could contradict.
	}
	return ""
}

// credited says what is wrong with the credit: the bank gives to the account that the core names, what the core released,
// and nothing before.
func (f *file) credited() string {
	switch {
	case f.credit.Posted == 0:
		return ""
	case f.core.Released == 0 && !f.state.Final(): // a final state says so itself
		return f.reference + " is credited, and the core never released it"
	case f.core.Released > 0 && f.credit.Amount != f.core.Amount:
		return fmt.Sprintf("%s is credited with %s, of which the core released %s", f.reference, money.Amount(f.credit.Amount), money.Amount(f.core.Amount))
	case f.core.Released > 0 && f.credit.IBAN != f.core.IBAN:
		return f.reference + " is credited to another account than the core released it to"
	}
	return ""
}

// String is what an engineer looks for first; the rest is what GET /core/history?reference=… has.
func (f *file) String() string {
	said := []string{"refund " + cmp.Or(f.id, "without a row")}
	if f.id != "" {
		said = append(said, "recorded "+string(f.state))
	}
	if len(f.told) > 0 {
		said = append(said, fmt.Sprintf("told %v", f.told))
	}
	if f.core.Reference != "" {
		said = append(said, fmt.Sprintf("core: request %s, released %d, returned %d", f.core.RequestID, f.core.Released, f.core.Returned))
	}
	if f.core.Reversed > 0 { // the core's own doing: no word of the gateway is measured by it
		said = append(said, fmt.Sprintf("the core reversed it %d times", f.core.Reversed))
	}
	if f.credit.Reference != "" {
		said = append(said, fmt.Sprintf("bank: %s, posted %d", f.credit.State, f.credit.Posted))
	}
	return "; " + f.reference + ": " + strings.Join(said, ", ") + ", history /core/history?reference=" + f.reference
}
