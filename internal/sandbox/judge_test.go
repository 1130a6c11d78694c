package sandbox

import (
	"context"
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
		return sandboxcore.Effect{RequestID: "rq", Reference: reference, Channel: "bank", Released: released, Returned: returned}
	}
	posted := func(times int) []sandboxbank.Credit {
		return []sandboxbank.Credit{{Reference: reference, Posted: times}}
	}
	portal := sandboxcore.Effect{RequestID: "rq", Reference: "PT-1", Channel: "portal", Released: 1}
	for name, c := range map[string]struct {
		rows          written
		truth         []sandboxcore.Effect
		credits       []sandboxbank.Credit
		doubles, lies int
	}{
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
		"returned and not taken back": {row(gateway.Returned), []sandboxcore.Effect{effect(1, 0)}, nil, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := newReferee("")
			if err != nil {
				t.Fatal(err)
			}
			v, err := r.judge(t.Context(), c.rows, func() books { return readBooks(c.truth, c.credits) })
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
		})
	}
}
