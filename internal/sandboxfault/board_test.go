package sandboxfault_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

func set(t *testing.T, b *sandboxfault.Board, faults ...sandboxfault.Fault) {
	t.Helper()
	if err := b.Set(faults); err != nil {
		t.Fatalf("Set: %v", err)
	}
}

func fired(b *sandboxfault.Board, kind string) int64 {
	for _, k := range b.Kinds() {
		if k.Kind == kind {
			return k.Fired
		}
	}
	return -1
}

func TestAFaultWithNeitherRateNorCountLastsUntilCleared(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	set(t, b, sandboxfault.Fault{Kind: sandboxfault.Unavailable})
	for range 50 {
		if got := b.Pick(sandboxfault.CallSubmit, "p01"); got != sandboxfault.Unavailable {
			t.Fatalf("Pick = %q", got)
		}
	}
	b.Clear()
	if got := b.Pick(sandboxfault.CallSubmit, "p01"); got != "" {
		t.Errorf("Pick after Clear = %q", got)
	}
	if n := fired(b, sandboxfault.Unavailable); n != 50 {
		t.Errorf("fired = %d, want 50, which Clear must keep", n)
	}
	b.Reset()
	if n := fired(b, sandboxfault.Unavailable); n != 0 {
		t.Errorf("fired after Reset = %d", n)
	}
}

func TestACountIsConsumedExactlyUnderConcurrency(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	set(t, b, sandboxfault.Fault{Kind: sandboxfault.HangBefore, Count: 7})
	var hung atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if b.Pick(sandboxfault.CallCredit, "p02") != "" {
				hung.Add(1)
			}
		})
	}
	wg.Wait()
	if hung.Load() != 7 || fired(b, sandboxfault.HangBefore) != 7 {
		t.Errorf("hung %d, fired %d, want 7", hung.Load(), fired(b, sandboxfault.HangBefore))
	}
	if got := b.Active(); len(got) != 0 {
		t.Errorf("Active = %v after the count was used up", got)
	}
}

func TestActiveShowsWhatIsLeft(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	set(t, b, sandboxfault.Fault{Kind: sandboxfault.HangBefore, Count: 3})
	b.Pick(sandboxfault.CallSMS, "")
	if got := b.Active(); len(got) != 1 || got[0].Count != 2 {
		t.Errorf("Active = %+v, want a count of 2", got)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		name       string
		match      sandboxfault.Match
		call, user string
		want       bool
	}{
		{"everything", sandboxfault.Match{}, sandboxfault.CallStatus, "", true},
		{"the user", sandboxfault.Match{User: "p03"}, sandboxfault.CallStatus, "p03", true},
		{"another user", sandboxfault.Match{User: "p03"}, sandboxfault.CallStatus, "p04", false},
		{"nobody's call", sandboxfault.Match{User: "p03"}, sandboxfault.CallList, "", false},
		{"the call", sandboxfault.Match{Call: sandboxfault.CallSubmit}, sandboxfault.CallSubmit, "p03", true},
		{"another call", sandboxfault.Match{Call: sandboxfault.CallSubmit}, sandboxfault.CallStatus, "p03", false},
		{"both", sandboxfault.Match{User: "p03", Call: sandboxfault.CallSubmit}, sandboxfault.CallSubmit, "p03", true},
		{"one of both", sandboxfault.Match{User: "p03", Call: sandboxfault.CallSubmit}, sandboxfault.CallSubmit, "p01", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := sandboxfault.NewBoard(1)
			set(t, b, sandboxfault.Fault{Kind: sandboxfault.Unavailable, Match: tt.match})
			if got := b.Pick(tt.call, tt.user) != ""; got != tt.want {
				t.Errorf("Pick(%q, %q) fired = %t, want %t", tt.call, tt.user, got, tt.want)
			}
		})
	}
}

func TestAKindHappensOnlyToCallsThatKnowIt(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	set(t, b,
		sandboxfault.Fault{Kind: sandboxfault.StaleStatus},
		sandboxfault.Fault{Kind: sandboxfault.Late},
		sandboxfault.Fault{Kind: sandboxfault.Unavailable, Count: 1, Match: sandboxfault.Match{Call: sandboxfault.CallCredit}},
	)
	for call, want := range map[string]string{
		sandboxfault.CallStatus: sandboxfault.StaleStatus,
		sandboxfault.CallSubmit: sandboxfault.Late,
		sandboxfault.CallCredit: sandboxfault.Unavailable,
		sandboxfault.CallSMS:    "",
	} {
		if got := b.Pick(call, ""); got != want {
			t.Errorf("Pick(%q) = %q, want %q", call, got, want)
		}
	}
}

func TestRatesFollowTheSeed(t *testing.T) {
	run := func(seed uint64) (draws []bool) {
		b := sandboxfault.NewBoard(seed)
		set(t, b, sandboxfault.Fault{Kind: sandboxfault.Unavailable, Rate: 0.25})
		for range 2000 {
			draws = append(draws, b.Pick(sandboxfault.CallSubmit, "") != "")
		}
		return draws
	}
	first := run(42)
	if !slices.Equal(first, run(42)) {
		t.Error("the same seed drew differently")
	}
	if slices.Equal(first, run(43)) {
		t.Error("another seed drew the same")
	}
	n := 0
	for _, hit := range first {
		if hit {
			n++
		}
	}
	if n < 400 || n > 600 {
		t.Errorf("a rate of 0.25 fired %d times in 2000", n)
	}
}

func TestSetRefusesWhatCannotBe(t *testing.T) {
	for name, f := range map[string]sandboxfault.Fault{
		"unknown kind":             {Kind: "explode"},
		"no kind":                  {},
		"unknown call":             {Kind: sandboxfault.Stop, Match: sandboxfault.Match{Call: "teleport"}},
		"kind and call don't meet": {Kind: sandboxfault.StaleStatus, Match: sandboxfault.Match{Call: sandboxfault.CallSMS}},
		"rate above 1":             {Kind: sandboxfault.Late, Rate: 1.01},
		"negative rate":            {Kind: sandboxfault.Late, Rate: -0.1},
		"rate not a number":        {Kind: sandboxfault.Late, Rate: math.NaN()},
		"negative count":           {Kind: sandboxfault.Late, Count: -1},
		"stop at a rate":           {Kind: sandboxfault.Stop, Rate: 0.5},
		"stop n times":             {Kind: sandboxfault.Stop, Count: 2},
		"flapping at a rate":       {Kind: sandboxfault.Flapping, Rate: 0.5},
		"flapping n times":         {Kind: sandboxfault.Flapping, Count: 2},
		"flapping of a user":       {Kind: sandboxfault.Flapping, Match: sandboxfault.Match{User: "p01"}},
		"stop of a user":           {Kind: sandboxfault.Stop, Match: sandboxfault.Match{User: "p01"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := sandboxfault.NewBoard(1)
			before := sandboxfault.Fault{Kind: sandboxfault.Unavailable}
			set(t, b, before)
			err := b.Set([]sandboxfault.Fault{{Kind: sandboxfault.Late}, f})
			if !errors.Is(err, sandboxfault.ErrFault) {
				t.Errorf("Set = %v, want ErrFault", err)
			}
			if got := b.Active(); !slices.Equal(got, []sandboxfault.Fault{before}) {
				t.Errorf("a refused list changed the board: %v", got)
			}
		})
	}
}

// TestARefusalNames: whoever misspells a name is told those that there are.
func TestARefusalNames(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	for says, f := range map[string]sandboxfault.Fault{
		`kind "lat"; there are stop, flapping, hang_before, effect_then_hang, unavailable, well, `: {Kind: "lat"},
		`call "sbmit"; there are callback, credit, `:                                               {Kind: sandboxfault.Late, Match: sandboxfault.Match{Call: "sbmit"}},
		`stale_status does not happen to call "sms"; it does to status`:                            {Kind: sandboxfault.StaleStatus, Match: sandboxfault.Match{Call: sandboxfault.CallSMS}},
	} {
		if err := b.Set([]sandboxfault.Fault{f}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Set = %v, want %q", err, says)
		}
	}
}

// TestAddKeepsWhatIsOn, and what is left of its count.
func TestAddKeepsWhatIsOn(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	stops := 0
	b.OnChange(func() { stops++ })
	set(t, b, sandboxfault.Fault{Kind: sandboxfault.Late, Count: 2}, sandboxfault.Fault{Kind: sandboxfault.Stop, Match: sandboxfault.Match{Call: sandboxfault.CallSMS}})
	b.Pick(sandboxfault.CallSubmit, "")
	if err := b.Add([]sandboxfault.Fault{{Kind: sandboxfault.Unavailable}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Add([]sandboxfault.Fault{{Kind: "explode"}}); !errors.Is(err, sandboxfault.ErrFault) {
		t.Errorf("Add = %v, want ErrFault", err)
	}
	for _, want := range []string{sandboxfault.Late, sandboxfault.Unavailable, sandboxfault.Unavailable} {
		if got := b.Pick(sandboxfault.CallSubmit, ""); got != want {
			t.Errorf("Pick = %q, want %q", got, want)
		}
	}
	if on := b.Active(); len(on) != 2 || stops != 1 {
		t.Errorf("on are %v; told of stops %d times", on, stops)
	}
}

func TestStop(t *testing.T) {
	calls := []string{
		sandboxfault.CallSubmit, sandboxfault.CallStatus, sandboxfault.CallCallback,
		sandboxfault.CallCustomer, sandboxfault.CallCredit, sandboxfault.CallSMS,
	}
	for _, tt := range []struct {
		call    string
		stopped []string
	}{
		{"", calls},
		{sandboxfault.CallStatus, calls[:3]},
		{sandboxfault.CallCallback, calls[2:3]},
		{sandboxfault.CallCredit, calls[3:5]},
		{sandboxfault.CallSMS, calls[5:]},
	} {
		t.Run("call "+tt.call, func(t *testing.T) {
			b := sandboxfault.NewBoard(1)
			set(t, b, sandboxfault.Fault{Kind: sandboxfault.Stop, Match: sandboxfault.Match{Call: tt.call}})
			for _, call := range calls {
				if got, want := b.Stopped(call), slices.Contains(tt.stopped, call); got != want {
					t.Errorf("Stopped(%q) = %t, want %t", call, got, want)
				}
				if got := b.Pick(call, "p01"); got != "" {
					t.Errorf("Pick(%q) = %q: a stop is no fault of a call", call, got)
				}
			}
			if n := fired(b, sandboxfault.Stop); n != 1 {
				t.Errorf("stop fired %d times, want 1", n)
			}
		})
	}
}

func TestOnChangeTellsOfStopsOnly(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	var seen []bool
	b.OnChange(func() { seen = append(seen, b.Stopped(sandboxfault.CallSubmit)) })
	stop := sandboxfault.Fault{Kind: sandboxfault.Stop}
	set(t, b, sandboxfault.Fault{Kind: sandboxfault.Unavailable})
	set(t, b, stop)
	set(t, b, stop, sandboxfault.Fault{Kind: sandboxfault.Unavailable})
	b.Clear()
	b.Clear()
	set(t, b, stop)
	b.Reset()
	if want := []bool{true, false, true, false}; !slices.Equal(seen, want) {
		t.Errorf("told of %v, want %v", seen, want)
	}
}

// TestFlapping: a second shut, a second open, until it is cleared.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sandboxfault.NewBoard(1)
		defer func() { _ = b.Close() }()
		var seen []bool
		b.OnChange(func() { seen = append(seen, b.Stopped(sandboxfault.CallSubmit)) })
		flapping := sandboxfault.Fault{Kind: sandboxfault.Flapping, Match: sandboxfault.Match{Call: sandboxfault.CallStatus}}
		set(t, b, flapping)
		for second := range 7 {
			shut := second%2 == 0
			if b.Stopped(sandboxfault.CallSubmit) != shut || b.Stopped(sandboxfault.CallCallback) != shut || b.Stopped(sandboxfault.CallCredit) {
				t.Errorf("second %d: submit is shut: %t", second, !shut)
			}
			if got := b.Pick(sandboxfault.CallStatus, ""); got != "" {
				t.Errorf("Pick = %q: flapping is no fault of a call", got)
			}
			if second == 3 {
				set(t, b, flapping, sandboxfault.Fault{Kind: sandboxfault.LateCallback}) // goes on as it was
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		b.Clear()
		set(t, b, flapping)
		b.Clear()
		time.Sleep(time.Minute)
		if want := []bool{true, false, true, false, true, false, true, false, true, false}; !slices.Equal(seen, want) {
			t.Errorf("told of %v, want %v", seen, want)
		}
		if n := fired(b, sandboxfault.Flapping); n != 5 {
			t.Errorf("fired %d times, want 5", n)
		}
	})
}

// TestAScriptIsPlayedInOrder: steps that match the same call are taken one after the other, whatever comes in between.
func TestAScriptIsPlayedInOrder(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	of := func(kind, call string, count int) sandboxfault.Fault {
		return sandboxfault.Fault{Kind: kind, Count: count, Match: sandboxfault.Match{User: "p14", Call: call}}
	}
	set(t, b,
		of(sandboxfault.EffectThenHang, sandboxfault.CallSubmit, 1), of(sandboxfault.Well, sandboxfault.CallSubmit, 2),
		of(sandboxfault.StaleStatus, sandboxfault.CallStatus, 1), of(sandboxfault.HTML, sandboxfault.CallSubmit, 1),
		of(sandboxfault.Well, "", 0), sandboxfault.Fault{Kind: sandboxfault.Unavailable},
	)
	if got := b.PickPossible(sandboxfault.CallStatus, "p14", func(kind string) bool { return kind != sandboxfault.StaleStatus }); got != sandboxfault.Well {
		t.Errorf("what can't happen yet became %q", got)
	}
	for i, step := range []struct{ call, user, want string }{
		{sandboxfault.CallSubmit, "p14", sandboxfault.EffectThenHang},
		{sandboxfault.CallSubmit, "p01", sandboxfault.Unavailable},
		{sandboxfault.CallSubmit, "p14", sandboxfault.Well},
		{sandboxfault.CallStatus, "p14", sandboxfault.StaleStatus},
		{sandboxfault.CallSubmit, "p14", sandboxfault.Well},
		{sandboxfault.CallSubmit, "p14", sandboxfault.HTML},
		{sandboxfault.CallSubmit, "p14", sandboxfault.Well},
		{sandboxfault.CallStatus, "p14", sandboxfault.Well},
	} {
		if got := b.Pick(step.call, step.user); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

func TestRecordCountsWithTheRest(t *testing.T) {
	b := sandboxfault.NewBoard(1)
	b.Record(sandboxfault.ShuffledFields)
	b.Record(sandboxfault.ShuffledFields)
	if n := fired(b, sandboxfault.ShuffledFields); n != 2 {
		t.Errorf("fired = %d, want 2", n)
	}
	for _, k := range b.Kinds() {
		if k.Kind == "" || k.Effect == "" {
			t.Errorf("a kind without a name or an effect: %+v", k)
		}
		if k.Row != "" && (len(k.Row) != 3 || k.Row < "F01" || k.Row > "F22") {
			t.Errorf("no row of the core: %+v", k)
		}
	}
}

func TestJSONIsTheControlAPI(t *testing.T) {
	var faults []sandboxfault.Fault
	in := `[{"kind":"hang_before","count":3,"match":{"user":"p03","call":"submit"}},{"kind":"late","rate":0.05,"match":{}}]`
	if err := json.Unmarshal([]byte(in), &faults); err != nil {
		t.Fatal(err)
	}
	b := sandboxfault.NewBoard(1)
	set(t, b, faults...)
	out, err := json.Marshal(b.Active())
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != in {
		t.Errorf("the list came back as %s", out)
	}
}
