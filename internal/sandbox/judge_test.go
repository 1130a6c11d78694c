package sandbox

import (
	"context"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/sandboxbank"
	"github.com/istirdad/istirdad/internal/sandboxcore"
)

// written are a gateway's rows, those that are put in.
type written []gateway.Refund

func (w written) States(_ context.Context, visit func(id, reference string, state gateway.State) error) error {
	for _, r := range w {
		if err := visit(r.ID, r.Reference, r.State); err != nil {
			return err
		}
	}
	return nil
}

// TestJudge: what the stand-ins of this tree would never do, and a referee must see all the same.
func TestJudge(t *testing.T) {
	const reference = "RF0123456789ABCDEF"
	row := func(s gateway.State) written {
		return written{{ID: "id", Reference: reference, State: s}}
	}
	effect := func(released, returned int) sandboxcore.Effect {
		return sandboxcore.Effect{RequestID: "rq", Reference: reference, Channel: "bank", Amount: 163_00, IBAN: "SA1", Released: released, Returned: returned}
	}
	posted := func(times int) []sandboxbank.Credit {
		return []sandboxbank.Credit{{Reference: reference, Amount: 163_00, IBAN: "SA1", State: "posted", Posted: times}}
	}
	credit := func(amount int64, iban string) []sandboxbank.Credit {
		return []sandboxbank.Credit{{Reference: reference, Amount: amount, IBAN: iban, State: "posted", Posted: 1}}
	}
	reversed := effect(1, 0)
	reversed.Reversed = 1
	portal := sandboxcore.Effect{RequestID: "rq", Reference: "PT-1", Channel: "portal", Released: 1}
	for name, c := range map[string]struct {
		rows          written
		truth         []sandboxcore.Effect
		credits       []sandboxbank.Credit
		doubles, lies int
	}{
		"reversed, and returned":      {row(gateway.Returned), []sandboxcore.Effect{reversed}, posted(0), 0, 0},
		"forgotten, and again":        {row(gateway.Credited), []sandboxcore.Effect{effect(1, 0), effect(1, 0)}, posted(1), 1, 1},
		"paid once":                   {row(gateway.Credited), []sandboxcore.Effect{effect(1, 0)}, posted(1), 0, 0},
		"taken back":                  {row(gateway.Returned), []sandboxcore.Effect{effect(1, 1)}, posted(0), 0, 0},
		"taken back, then the portal": {row(gateway.Returned), []sandboxcore.Effect{effect(1, 1), portal}, nil, 0, 0},
		"under way":                   {row(gateway.Refunded), []sandboxcore.Effect{effect(1, 0)}, nil, 0, 0},
		"released twice":              {row(gateway.Pending), []sandboxcore.Effect{effect(2, 0)}, nil, 1, 0},
		"released here and there":     {row(gateway.Refunded), []sandboxcore.Effect{effect(1, 0), portal}, nil, 1, 0},
		"credited twice":              {row(gateway.Refunded), []sandboxcore.Effect{effect(1, 0)}, posted(2), 1, 0},
		"credited and taken back":     {row(gateway.Manual), []sandboxcore.Effect{effect(1, 1)}, posted(1), 1, 0},
		"credited and never released": {row(gateway.Credited), nil, posted(1), 0, 1},
		"released and never credited": {row(gateway.Credited), []sandboxcore.Effect{effect(1, 0)}, nil, 0, 1},
		"rejected and released":       {row(gateway.Rejected), []sandboxcore.Effect{effect(1, 0)}, nil, 0, 1},
		"withdrawn and credited":      {row(gateway.Cancelled), nil, posted(1), 0, 1},
		"credited before the release": {row(gateway.InDoubt), nil, posted(1), 0, 1},
		"another amount":              {row(gateway.Refunded), []sandboxcore.Effect{effect(1, 0)}, credit(162_00, "SA1"), 0, 1},
		"another account":             {row(gateway.Credited), []sandboxcore.Effect{effect(1, 0)}, credit(163_00, "SA2"), 0, 1},
		"returned and not taken back": {row(gateway.Returned), []sandboxcore.Effect{effect(1, 0)}, nil, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := newReferee("")
			if err != nil {
				t.Fatal(err)
			}
			v, err := r.judge(t.Context(), c.rows, func() books { return books{c.truth, c.credits} })
			if err != nil {
				t.Fatal(err)
			}
			want := "exact"
			if c.doubles+c.lies > 0 {
				want = "violated"
			}
			if v.Verdict != want || v.Doubles != c.doubles || v.Lies != c.lies || v.Lost != 0 || len(v.Details) != c.doubles+c.lies {
				t.Errorf("the referee says %+v, want %d doubles and %d lies", v, c.doubles, c.lies)
			}
			for _, detail := range v.Details {
				for _, fact := range []string{reference + ": refund id, recorded " + string(c.rows[0].State), "history /core/history?reference=" + reference} {
					if !strings.Contains(detail, fact) {
						t.Errorf("the detail doesn't tell of %q: %s", fact, detail)
					}
				}
			}
		})
	}
}

// TestJudgeMoneyWithoutRow: money that moved for nobody on record is lost, unless the row was only being written.
func TestJudgeMoneyWithoutRow(t *testing.T) {
	r, err := newReferee("")
	if err != nil {
		t.Fatal(err)
	}
	moved := books{effects: []sandboxcore.Effect{{RequestID: "rq", Reference: "RF1", Channel: "bank", Released: 1}}}
	v, err := r.judge(t.Context(), written(nil), func() books { return moved })
	if err != nil || v.Lost != 1 || v.Verdict != Violated || !strings.Contains(v.Details[0], "money moved under RF1") {
		t.Errorf("the referee says %+v, %v", v, err)
	}
	var late written
	v, err = r.judge(t.Context(), &late, func() books {
		late = written{{ID: "id", Reference: "RF1", State: gateway.Credited}} // since the books were read
		return moved
	})
	if err != nil || v.Verdict != Exact {
		t.Errorf("of a row that came meanwhile the referee says %+v, %v", v, err)
	}
}

// TestJudgeAsked: what customers were told when they asked is held against the books like a 202, and told apart.
func TestJudgeAsked(t *testing.T) {
	r, err := newReferee("")
	if err != nil {
		t.Fatal(err)
	}
	const reference = "RF1"
	for _, status := range []string{"processing", "processing", "rejected", "completed"} {
		if err := r.hear(Answer{RefundID: "id", Reference: reference, Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	paid := books{
		[]sandboxcore.Effect{{RequestID: "rq", Reference: reference, Channel: "bank", Released: 1}},
		[]sandboxbank.Credit{{Reference: reference, State: "posted", Posted: 1}},
	}
	v, err := r.judge(t.Context(), written{{ID: "id", Reference: reference, State: gateway.Credited}}, func() books { return paid })
	if err != nil || v.Confirmed != 1 || v.Lies != 1 || v.Verdict != Violated {
		t.Errorf("the referee says %+v, %v", v, err)
	}
	const want = "lie: RF1 was told rejected, but the core released it 1 times and the bank credited it 1 times" +
		"; RF1: refund id, recorded credited, told [processing rejected completed], core: request rq, released 1, returned 0, bank: posted, posted 1" +
		", history /core/history?reference=RF1"
	if len(v.Details) != 1 || v.Details[0] != want {
		t.Errorf("the details are %q,\nwant %q", v.Details, want)
	}
}
