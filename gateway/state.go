package gateway

import "slices"

// State says where a refund stands and, by that, whose move it is.
//
// Which state may become which, by which move (a row each; the test of this package holds the same table and walks
// every state with every move):
//
//	                   Approve  Cancel     Send     NotSent  Doubt     Accept   Release   Reject    Escalate  Credit    RefuseCredit  Return
//	awaiting_approval  queued   cancelled  -        -        -         -        -         -         -         -         -             -
//	queued             -        cancelled  sending  -        -         -        -         -         manual    -         -             -
//	sending            -        -          -        queued¹  in_doubt  pending  refunded  rejected  -         -         -             -
//	in_doubt           -        -          sending² -        -         pending  refunded  rejected  manual    -         -             -
//	pending            -        -          -        -        -         -        refunded  rejected  manual    -         -             -
//	refunded           -        -          -        -        -         -        -         -         manual    credited  returning     -
//	returning          -        -          -        -        -         -        -         -         manual    -         -             returned
//	manual             -        -          -        -        in_doubt  -        refunded² rejected² -         credited³ -             returned⁴
//	credited           -        -          -        -        -         -        -         -         -         -         -             -
//	rejected           -        -          -        -        -         -        -         -         -         -         -             -
//	cancelled          -        -          -        -        -         -        -         -         -         -         -             -
//	returned           -        -          -        -        -         -        -         -         -         -         -             -
//
//	¹ in_doubt when an earlier send of this reference may have left
//	² only while no verified answer of the core has said that it released the money
//	³ only after one has, and while no refusal of the credit by the bank is on record
//	⁴ only after one has, and while such a refusal is on record
type State string

// The states, in the order of a refund's life.
const (
	AwaitingApproval State = "awaiting_approval" // recorded; a second person must agree
	Queued           State = "queued"            // recorded; nothing has left this machine; the dispatcher's move
	Sending          State = "sending"           // the intent is durable, bytes may be leaving; the lease's owner moves
	InDoubt          State = "in_doubt"          // it may have arrived; ask before anything else; the resolver's move
	Pending          State = "pending"           // the core has it and is working; the core's move
	Refunded         State = "refunded"          // the core released the money; the bank must credit the account
	Returning        State = "returning"         // the bank refused the credit for good; the core must take the money back
	Manual           State = "manual"            // a machine must not decide; two operators do
	Credited         State = "credited"          // final: the customer has the money
	Rejected         State = "rejected"          // final: the core refused this reference; no money moved under it, ever
	Cancelled        State = "cancelled"         // final: withdrawn before anything was sent
	Returned         State = "returned"          // final: released, could not be credited, taken back by the core
)

// States lists every state in the order of a refund's life.
func States() []State {
	return []State{
		AwaitingApproval, Queued, Sending, InDoubt, Pending, Refunded, Returning, Manual,
		Credited, Rejected, Cancelled, Returned,
	}
}

// Final reports whether a refund in this state never changes its state again.
func (s State) Final() bool {
	return s == Credited || s.Dead()
}

// Dead reports whether a refund in this state ended without the customer being paid: its request may be asked back
// again, under the next ordinal, and what it took from the day's limit is given back.
func (s State) Dead() bool {
	return s == Rejected || s == Cancelled || s == Returned
}

// Status is what a customer is shown. An unknown outcome is never shown as a failure.
type Status string

// The statuses for customers.
const (
	StatusProcessing  Status = "processing"
	StatusCompleted   Status = "completed"
	StatusRejected    Status = "rejected"
	StatusCancelled   Status = "cancelled"
	StatusVisitBranch Status = "visit_branch"
)

// Status returns what a customer is shown for the state.
func (s State) Status() Status {
	switch s {
	case Credited:
		return StatusCompleted
	case Rejected:
		return StatusRejected
	case Cancelled:
		return StatusCancelled
	case Returned:
		return StatusVisitBranch
	default:
		return StatusProcessing
	}
}

// move is a verb that takes a refund from one state to another.
type move string

const (
	moveApprove      move = "approve"
	moveCancel       move = "cancel"
	moveSend         move = "send"
	moveNotSent      move = "not sent"
	moveDoubt        move = "doubt"
	moveAccept       move = "accept"
	moveRelease      move = "release"
	moveReject       move = "reject"
	moveEscalate     move = "escalate"
	moveCredit       move = "credit"
	moveRefuseCredit move = "refuse credit"
	moveReturn       move = "return"
)

// sources says from which states a move may be made. Conditions beyond the state (the footnotes of the table in the
// comment of State) are checked by the move itself.
var sources = map[move][]State{
	moveApprove:      {AwaitingApproval},
	moveCancel:       {AwaitingApproval, Queued},
	moveSend:         {Queued, InDoubt},
	moveNotSent:      {Sending},
	moveDoubt:        {Sending, Manual},
	moveAccept:       {Sending, InDoubt},
	moveRelease:      {Sending, InDoubt, Pending, Manual},
	moveReject:       {Sending, InDoubt, Pending, Manual},
	moveEscalate:     {Queued, InDoubt, Pending, Refunded, Returning},
	moveCredit:       {Refunded, Manual},
	moveRefuseCredit: {Refunded},
	moveReturn:       {Returning, Manual},
}

func (s State) allows(m move) bool { return slices.Contains(sources[m], s) }
