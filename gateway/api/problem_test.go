package api_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/otp"
)

// internal are the errors that no caller of the API ever sees, each with the reason.
var internal = map[string]string{
	"gateway.ErrStale": "whoever gets it looks again; in the end it is ErrTooLate or nothing",
	"gateway.ErrMove":  "a move that the machine must not make is a bug, or the path says ErrTooLate",
	"otp.ErrNotSent":   "what a sender says; otp says ErrSMS",

	"gateway.ErrClockSkew":  "of a store's readiness, which only operators ask",
	"gateway.ErrUnreadable": "to the caller it is as if the store were away, and bank says ErrUnavailable; operators are told which it is",

	"gateway.ErrNotSent":          "of calls that carry a refund, long after its customer has an answer",
	"gateway.ErrCutOff":           "as ErrNotSent",
	"gateway.ErrUnknownReference": "as ErrNotSent",
	"gateway.ErrReferenceReused":  "as ErrNotSent",
}

// TestEveryErrorIsInTheTable: an error that a room promises is told in a way of its own, or there is a reason why not.
func TestEveryErrorIsInTheTable(t *testing.T) {
	mapped := table(t)
	declared := map[string]bool{}
	for _, room := range []string{"gateway", "otp", "bank"} {
		for _, name := range exportedErrors(t, filepath.Join("..", "..", room)) {
			declared[room+"."+name] = true
		}
	}
	if len(declared) < 30 {
		t.Fatalf("only %d errors found", len(declared))
	}
	for name := range declared {
		if why := internal[name]; mapped[name] == (why != "") {
			t.Errorf("%s: in the table %v, kept inside because %q; it must be one of the two", name, mapped[name], why)
		}
	}
	for name := range internal {
		if !declared[name] {
			t.Errorf("%s is no error any more", name)
		}
	}
}

// exportedErrors are the variables Err… of a package.
func exportedErrors(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, declaration := range parse(t, file).Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.VAR {
				continue
			}
			for _, spec := range general.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

// table is which errors stand in the table `codes`, as "bank.ErrNotFound".
func table(t *testing.T) map[string]bool {
	t.Helper()
	mapped := map[string]bool{}
	ast.Inspect(parse(t, "problem.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "codes" {
			return true
		}
		for _, row := range spec.Values[0].(*ast.CompositeLit).Elts {
			if of, ok := row.(*ast.CompositeLit).Elts[0].(*ast.SelectorExpr); ok {
				mapped[of.X.(*ast.Ident).Name+"."+of.Sel.Name] = true
			}
		}
		return false
	})
	if len(mapped) == 0 {
		t.Fatal("there is no table")
	}
	return mapped
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// promised is the table of api.md, "Errors", for the calls that there are.
var promised = map[int]string{
	400: "malformed_request idempotency_key_missing",
	401: "unauthenticated",
	403: "step_up_required forbidden self_approval payer_mismatch account_not_owned",
	404: "not_found",
	405: "method_not_allowed",
	409: "refund_exists fee_consumed other_bank account_closed account_frozen mobile_missing idempotency_in_progress too_late code_used already_decided not_possible",
	410: "preview_expired challenge_gone",
	422: "id_invalid id_mismatch iban_invalid account_mismatch service_not_refundable code_wrong idempotency_key_reused limit_exceeded mobile_recent",
	423: "locked",
	429: "resend_too_soon rate_limited",
	500: "internal",
	503: "core_unavailable sms_unavailable maintenance try_again",
}

func TestEveryCodeHasItsStatusAndWords(t *testing.T) {
	rows := api.Rows()
	want := map[string]int{
		// Reasons of a refund that ended so. No preview is refused with them unless the core says something new.
		"already_refunded": 409, "amount_changed": 409,
	}
	for status, codes := range promised {
		for code := range strings.FieldsSeq(codes) {
			want[code] = status
		}
	}
	for code, status := range want {
		if rows[code].Status != status {
			t.Errorf("%s has status %d, want %d", code, rows[code].Status, status)
		}
	}
	for code, row := range rows {
		if want[code] == 0 {
			t.Errorf("%s was never promised", code)
		}
		bothLanguages(t, code+", title", row.Title)
		bothLanguages(t, code+", detail", row.Detail)
	}
}

func TestEveryWordIsInBothLanguages(t *testing.T) {
	for _, s := range gateway.States() {
		bothLanguages(t, string(s), bank.StateText(s))
	}
	for _, m := range append(bank.Flags(), gateway.AboveLimit, gateway.IdentityChecked) {
		bothLanguages(t, string(m), bank.MarkText(m))
	}
	for _, r := range bank.Reasons() {
		bothLanguages(t, string(r), r.Text())
	}
	for _, w := range warnings(t) {
		bothLanguages(t, string(w), w.Text())
	}
}

// warnings are the constants of type Warning.
func warnings(t *testing.T) []bank.Warning {
	t.Helper()
	var found []bank.Warning
	ast.Inspect(parse(t, "../../bank/request.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Warning" {
			for _, v := range spec.Values {
				found = append(found, bank.Warning(strings.Trim(v.(*ast.BasicLit).Value, `"`)))
			}
		}
		return true
	})
	if len(found) == 0 {
		t.Fatal("there are no warnings")
	}
	return found
}

// TestReasonsListsEveryReason, so that no reason goes without words.
func TestReasonsListsEveryReason(t *testing.T) {
	var declared []string
	source, err := os.ReadFile("../../bank/request.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +Reason = "(\w+)"`).FindAllSubmatch(source, -1) {
		declared = append(declared, string(m[1]))
	}
	var listed []string
	for _, r := range bank.Reasons() {
		listed = append(listed, string(r))
	}
	if slices.Sort(declared); !slices.Equal(slices.Sorted(slices.Values(listed)), declared) {
		t.Errorf("declared are %v, listed %v", declared, listed)
	}
}

func bothLanguages(t *testing.T, what string, text bank.Text) {
	t.Helper()
	arabic := func(r rune) bool { return unicode.Is(unicode.Arabic, r) }
	if !strings.ContainsFunc(text.AR, arabic) {
		t.Errorf("%s has no Arabic: %q", what, text.AR)
	}
	if text.EN == "" || strings.ContainsFunc(text.EN, func(r rune) bool { return arabic(r) || r > unicode.MaxLatin1 }) {
		t.Errorf("%s has no English: %q", what, text.EN)
	}
}

// TestProblems: the codes of errors that carry something, and of those that nobody promised.
func TestProblems(t *testing.T) {
	secret := errors.New("dial SA1280000555608000000003: refused")
	for name, c := range map[string]struct {
		err    error
		code   string
		retry  int
		faults []api.Fault
	}{
		"nobody promised it":                {secret, "internal", 0, nil},
		"a store":                           {errors.Join(bank.ErrUnavailable, secret), "try_again", 2, nil},
		"a store of codes":                  {errors.Join(otp.ErrUnavailable, secret), "try_again", 2, nil},
		"a stray word of a store's":         {fmt.Errorf("%w: %w", bank.ErrUnavailable, bank.ErrNotFound), "try_again", 2, nil},
		"a stray form of a store's":         {fmt.Errorf("%w: %w", bank.ErrUnavailable, bank.ErrCursor), "try_again", 2, nil},
		"the core":                          {errors.Join(bank.ErrCoreUnavailable, secret), "core_unavailable", 15, nil},
		"the SMS":                           {errors.Join(otp.ErrSMS, secret), "sms_unavailable", 15, nil},
		"a block":                           {&otp.LockedError{RetryAfter: 29*time.Minute + 1}, "locked", 29*60 + 1, nil},
		"a block that only a branch ends":   {&otp.LockedError{Closed: true}, "locked", 0, nil},
		"a wait":                            {&otp.TooSoonError{RetryAfter: 900 * time.Millisecond}, "resend_too_soon", 1, nil},
		"a budget":                          {&otp.BudgetError{RetryAfter: time.Hour}, "rate_limited", 3600, nil},
		"too often":                         {&bank.RateError{RetryAfter: time.Minute + 1}, "rate_limited", 61, nil},
		"a key that runs":                   {bank.ErrKeyBusy, "idempotency_in_progress", 1, nil},
		"a reason":                          {&bank.ReasonError{Reason: bank.OtherBank}, "other_bank", 0, nil},
		"a reason that the core invented":   {&bank.ReasonError{Reason: "new_reason"}, "internal", 0, nil},
		"a code that is none":               {otp.ErrMalformedCode, "malformed_request", 0, []api.Fault{{Pointer: "/code", Code: "format"}}},
		"a code without its challenge":      {bank.ErrNoChallenge, "malformed_request", 0, []api.Fault{{Pointer: "/challenge_id", Code: "missing"}}},
		"a cursor that was never given out": {bank.ErrCursor, "malformed_request", 0, []api.Fault{{Pointer: "cursor", Code: "format"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := api.NewProblem(context.Background(), c.err)
			if p.Code != c.code || p.RetryAfter != c.retry || !slices.Equal(p.Errors, c.faults) {
				t.Errorf("told as %s, retry after %d, faults %v", p.Code, p.RetryAfter, p.Errors)
			}
			if strings.Contains(p.Title+p.Detail+p.Instance+p.Type, "SA12") {
				t.Error("the error's own words are told")
			}
		})
	}
	p := api.NewProblem(context.Background(), &otp.WrongError{AttemptsLeft: 0})
	if p.Code != "code_wrong" || p.AttemptsLeft == nil || *p.AttemptsLeft != 0 {
		t.Errorf("the last wrong code is told as %+v", p)
	}
}

// TestFaultCodes holds huma's words to our codes: its next version may say things otherwise.
func TestFaultCodes(t *testing.T) {
	for message, want := range map[string]api.FaultCode{
		validation.MsgUnexpectedProperty:        api.FaultUnknown,
		validation.MsgExpectedString:            api.FaultType,
		validation.MsgExpectedObject:            api.FaultType,
		validation.MsgExpectedMinLength:         api.FaultSize,
		validation.MsgExpectedMaxLength:         api.FaultSize,
		validation.MsgExpectedMinimumNumber:     api.FaultSize,
		validation.MsgExpectedMaximumNumber:     api.FaultSize,
		validation.MsgExpectedOneOf:             api.FaultFormat,
		validation.MsgExpectedMatchPattern:      api.FaultFormat,
		"required query parameter is missing":   api.FaultMissing,
		"invalid integer":                       api.FaultType,
		"something that nobody has said so far": api.FaultMalformed,
	} {
		if got := api.FaultCodeOf(message); got != want {
			t.Errorf("%q is %s, want %s", message, got, want)
		}
	}
}

func TestAcceptLanguage(t *testing.T) {
	english := map[string]bool{
		"": false, "ar": false, "ar-SA": false, "*": false, "fr": false, "ur-PK": false, "nonsense;;q": false,
		"en": true, "en-GB": true, "EN-us": true, "en-US,en;q=0.9,ar;q=0.8": true,
		"ar-SA,ar;q=0.9,en;q=0.8": false, "en;q=0.1, ar": false, "fr, en;q=0.5": true, "en;q=0": false, "fr, ar, en": false, "und": false,
		strings.Repeat("en-", 5000): false,
	}
	for _, header := range slices.Sorted(maps.Keys(english)) {
		if got := api.WantsEnglish(header); got != english[header] {
			t.Errorf("%.40q: English %v", header, got)
		}
	}
}
