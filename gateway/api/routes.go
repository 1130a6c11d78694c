package api

import "github.com/istirdad/istirdad/bank"

// none is the input of a route that takes nothing but the token.
type none struct{}

// answer is an output that is a body and nothing else.
type answer[T any] struct{ Body T }

// answered makes an answer of what the path says, or passes its refusal on. It is curried so that the path's two results
// fit in.
func answered[From, To any](turn func(From) To) func(From, error) (*answer[To], error) {
	return func(from From, err error) (*answer[To], error) {
		if err != nil {
			return nil, err
		}
		return &answer[To]{turn(from)}, nil
	}
}

// listed is answered for a page of a list.
func listed[From, To any](turn func(From) To) func([]From, string, error) (*answer[List[To]], error) {
	return func(from []From, next string, err error) (*answer[List[To]], error) {
		if err != nil {
			return nil, err
		}
		return &answer[List[To]]{listOf(from, next, turn)}, nil
	}
}

// WithID names one refund or preview.
type WithID struct {
	RefundID string `path:"refund_id" doc:"Of the preview, and of the refund that it became."`
}

// Paged is which part of a list is asked for.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Items of a page."`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
}

func (p Paged) page() bank.Page { return bank.Page{Limit: p.Limit, Cursor: p.Cursor} }

// Replayable says whether an answer was given before.
type Replayable struct {
	Replay string `header:"Idempotent-Replay" enum:"true" doc:"Present when this answer was given before."`
}

func replay(was bool) Replayable {
	if was {
		return Replayable{"true"}
	}
	return Replayable{}
}

// routes registers the path in the order in which a customer walks it, then what comes after, then what staff do.
func (s *server) routes() {
	s.getProfile()
	s.createChallenge()
	s.resendChallenge()
	s.verifyChallenge()
	s.listPayments()
	s.listServices()
	s.listRequests()
	s.inquireBalance()
	s.previewRefund()
	s.confirmRefund()
	s.listRefunds()
	s.getRefund()
	s.withdrawRefund()
	s.followRefund()
	s.getReceipt()
	s.createAssistedSession()
	s.verifyAssistedSession()
	s.endAssistedSession()
	s.listApprovals()
	s.approveRefund()
	s.rejectRefund()
	s.unblockCustomer()
	s.listLookups()
	s.endSession()
}
