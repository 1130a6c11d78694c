package banktest_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/bank/banktest"
)

// TestNothingInternalIsShown: who imports this package can name everything that it shows, and read about it.
func TestNothingInternalIsShown(t *testing.T) {
	files := token.NewFileSet()
	packages, err := parser.ParseDir(files, ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0) //nolint:staticcheck // one package, no build tags
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, file := range packages["banktest"].Files {
		hidden := map[string]bool{}
		for _, i := range file.Imports {
			if path := strings.Trim(i.Path.Value, `"`); strings.Contains(path, "/internal/") {
				hidden[path[strings.LastIndex(path, "/")+1:]] = true
			}
		}
		for _, what := range exported(file) {
			shown++
			ast.Inspect(what, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					if name, ok := s.X.(*ast.Ident); ok && hidden[name.Name] {
						t.Errorf("%s shows %s.%s", files.Position(s.Pos()), name.Name, s.Sel.Name)
					}
				}
				return true
			})
		}
	}
	if shown < 50 {
		t.Errorf("only %d things are shown: it looks in the wrong place", shown)
	}
}

// exported are the types, signatures and fields of a file that others see.
func exported(file *ast.File) (shown []ast.Node) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				shown = append(shown, d.Type)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					if s.Names[0].IsExported() {
						shown = append(shown, s)
					}
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						shown = append(shown, exportedOf(s)...)
					}
				}
			}
		}
	}
	return shown
}

func exportedOf(s *ast.TypeSpec) (shown []ast.Node) {
	of, isStruct := s.Type.(*ast.StructType)
	if !isStruct {
		return []ast.Node{s}
	}
	for _, f := range of.Fields.List {
		if len(f.Names) == 0 || f.Names[0].IsExported() {
			shown = append(shown, f)
		}
	}
	return shown
}

// TestNothingIsMissed: what the control listener tells, the types here have a field for.
func TestNothingIsMissed(t *testing.T) {
	w := banktest.Start(t)
	c := w.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	c.Confirm(id).Want(http.StatusAccepted)
	c.Await(id, "completed")
	for path, into := range map[string]any{
		"/people":         &struct{ Items []banktest.Person }{},
		"/phone/messages": &struct{ Items []banktest.SMS }{},
		"/core/history":   &struct{ Items []banktest.CoreCall }{},
		"/referee":        &banktest.Verdict{},
	} {
		told := w.Control(http.MethodGet, path, nil).Want(http.StatusOK).Body
		decoder := json.NewDecoder(bytes.NewReader(told))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil || bytes.Contains(told, []byte(`"items":[]`)) {
			t.Errorf("%s: %v of %d bytes", path, err, len(told))
		}
	}
}

// TestFaultsByName: there is a constant for every kind and call, and the world knows them all.
func TestFaultsByName(t *testing.T) {
	w := banktest.Start(t)
	known := map[banktest.Kind]banktest.Call{
		banktest.Stop: "", banktest.Flapping: "", banktest.HangBefore: "", banktest.EffectThenHang: "", banktest.Unavailable: "", banktest.Well: "",
		banktest.LateEffect: banktest.OnSubmit, banktest.ErrorBefore: banktest.OnSubmit, banktest.OddRetryAfter: banktest.OnStatus,
		banktest.TooMany: banktest.OnInquiry, banktest.ResetBeforeEffect: banktest.OnSubmit, banktest.Unauthorized: banktest.OnList,
		banktest.Forbidden: banktest.OnReturn, banktest.Redirect: banktest.OnSubmit, banktest.Maintenance: banktest.OnPortal,
		banktest.ErrorAfter: banktest.OnSubmit, banktest.ResetBeforeAnswer: banktest.OnSubmit, banktest.Trickle: banktest.OnStatus,
		banktest.HTML: banktest.OnInquiry, banktest.HugeAnswer: banktest.OnList, banktest.GzipBomb: banktest.OnReturn,
		banktest.ExpiredSignature: banktest.OnSubmit, banktest.WrongKeyID: banktest.OnStatus, banktest.ClockAhead: banktest.OnSubmit,
		banktest.ClockBehind: banktest.OnStatus, banktest.WrongEcho: banktest.OnStatus, banktest.ReferenceReused: banktest.OnSubmit,
		banktest.Contradiction: banktest.OnStatus, banktest.Forgets: banktest.OnSubmit, banktest.Reversed: banktest.OnSubmit,
		banktest.ConsumedMeanwhile: banktest.OnSubmit, banktest.AmountChanged: banktest.OnSubmit,
		banktest.CallbackStorm: banktest.OnCallback, banktest.EarlyCallback: banktest.OnSubmit,
		banktest.OrphanCallback: banktest.OnCallback, banktest.UnorderedCallback: banktest.OnCallback,
		banktest.Late: banktest.OnSubmit, banktest.ResetMidAnswer: banktest.OnSubmit, banktest.SlowBody: banktest.OnInquiry,
		banktest.Malformed: banktest.OnList, banktest.BadSignature: banktest.OnReturn, banktest.StaleStatus: banktest.OnStatus,
		banktest.UnknownState: banktest.OnSubmit, banktest.RejectedLater: banktest.OnSubmit,
		banktest.ShuffledFields: banktest.OnSubmit, banktest.UnknownFields: banktest.OnSubmit,
		banktest.DuplicateCallback: banktest.OnCallback, banktest.LateCallback: banktest.OnCallback,
		banktest.DayLateCallback: banktest.OnCallback,
	}
	var kinds struct {
		Items []struct{ Kind banktest.Kind }
	}
	w.Control(http.MethodGet, "/faults/kinds", nil).JSON(&kinds)
	for _, k := range kinds.Items {
		call, ok := known[k.Kind]
		if !ok {
			t.Errorf("no constant says %s", k.Kind)
			continue
		}
		delete(known, k.Kind)
		if call == "" {
			w.Fault(k.Kind, banktest.OnCustomer)
		} else {
			w.Fault(k.Kind, call)
		}
	}
	if len(known) > 0 {
		t.Errorf("the world doesn't know %v", known)
	}
	for _, call := range []banktest.Call{banktest.OnCustomer, banktest.OnCredit, banktest.OnSMS} {
		w.Fault(banktest.Unavailable, call)
	}
	// Who misspells a call is told those that there are.
	said := w.Control(http.MethodPost, "/faults", `[{"kind":"stop","match":{"call":"nobody"}}]`).Want(http.StatusBadRequest).Body
	for _, call := range []banktest.Call{
		banktest.OnSubmit, banktest.OnStatus, banktest.OnInquiry, banktest.OnList, banktest.OnReturn, banktest.OnCallback, banktest.OnPortal,
		banktest.OnCustomer, banktest.OnCredit, banktest.OnSMS,
	} {
		said = bytes.Replace(said, []byte(" "+call), nil, 1)
	}
	if _, rest, _ := strings.Cut(string(said), "there are"); strings.ContainsFunc(rest, func(r rune) bool { return r >= 'a' && r <= 'z' }) {
		t.Errorf("no constant says %s", rest)
	}
}

// TestFaultsRefused: what would never happen fails the test at once, in words that help.
func TestFaultsRefused(t *testing.T) {
	w := banktest.Start(t)
	for name, c := range map[string]struct {
		kind    banktest.Kind
		options []banktest.FaultOption
		says    string
	}{
		"kind":      {"unavialable", nil, "there are stop, flapping, hang_before, effect_then_hang, unavailable"},
		"call":      {banktest.Late, []banktest.FaultOption{banktest.Call("sumbit")}, "there are callback, credit, customer"},
		"not there": {banktest.StaleStatus, []banktest.FaultOption{banktest.OnCredit}, "does not happen to"},
		"user":      {banktest.Unavailable, []banktest.FaultOption{banktest.User("p99")}, `nobody is called "p99"`},
		"no user":   {banktest.Unavailable, []banktest.FaultOption{banktest.User("")}, "to nothing"},
		"no count":  {banktest.Unavailable, []banktest.FaultOption{banktest.Count(0)}, "banktest.Count(0) narrows unavailable down to nothing"},
		"no rate":   {banktest.Unavailable, []banktest.FaultOption{banktest.Rate(0)}, "to nothing"},
		"rate":      {banktest.Unavailable, []banktest.FaultOption{banktest.Rate(5)}, "not between 0 and 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if said := fails(t, func(t testing.TB) { w.For(t).Fault(c.kind, c.options...) }); !strings.Contains(said, c.says) {
				t.Errorf("it says %q, want %q", said, c.says)
			}
		})
	}
	if on := w.Control(http.MethodGet, "/faults", nil).Body; strings.TrimSpace(string(on)) != `{"items":[]}` {
		t.Errorf("on are %s", on)
	}
}

// TestFaultsAdd: a fault that comes on leaves the count of another as it is.
func TestFaultsAdd(t *testing.T) {
	w := banktest.Start(t)
	w.Fault(banktest.Unavailable, banktest.OnSMS, banktest.Count(2), banktest.User("p01"))
	c := w.Customer("p01")
	ask := map[string]string{"purpose": "profile"}
	c.Do(http.MethodPost, "/v1/otp/challenges", ask).Want(http.StatusServiceUnavailable, "sms_unavailable")
	w.Fault(banktest.Late, banktest.OnSubmit)
	var on struct{ Items []struct{ Kind, Count any } }
	w.Control(http.MethodGet, "/faults", nil).JSON(&on)
	if !slices.EqualFunc(on.Items, []any{1., nil}, func(f struct{ Kind, Count any }, left any) bool { return f.Count == left }) {
		t.Errorf("on are %v", on.Items)
	}
}
