package api

import (
	"context"
	"net/http"

	"github.com/istirdad/istirdad/bank"
)

// endSession is how a customer leaves.
func (s *server) endSession() {
	routeThrough(s, alone, op("end-session", http.MethodDelete, "/v1/session", "Sign out", "Profile and codes").
		answers(http.StatusNoContent).
		says("Ends the session: from the answer on no gateway believes a token of it any more, however long that token would live. "+
			"Its proof, its previews and a code on its way are dropped. Refunds that were confirmed go on, and the customer's other "+
			"sessions show them.\n\n"+
			"End the session at the bank's issuer, too: what is ended here is remembered for a day longer than the token lives, and "+
			"a token that the issuer gives the same session after that is believed.").
		shows(
			example{name: "end", summary: "The customer leaves", as: "p04"},
			example{name: "ended", summary: "Any call with the same token, from then on", as: "p04", refused: bank.ErrUnauthenticated},
		),
		func(ctx context.Context, c bank.Caller, _ *none) (*none, error) {
			return &none{}, s.Path.EndSession(ctx, c)
		})
}
