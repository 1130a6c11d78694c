// Package gateway is the promise: once taken, a refund is never lost and never paid twice.
//
// It holds the vocabulary of that promise and nothing that speaks to the outside: what a [Refund] is, the [State]s it
// passes through, the [Change]s that move it, and its one reference for life. Stores, protocols and screens live in the
// folders below and depend on this one; it depends on none of them.
//
// # The refund cycle
//
//  1. A customer confirms a preview. One durable transaction records the refund (queued, or awaiting_approval), its first
//     event, the day's limit and the burnt code. Only then is the customer told "accepted". The core isn't asked.
//  2. The dispatcher claims the row and makes the intent durable (sending) before the first byte leaves.
//  3. The send ends in one of three ways. Provably nothing left: back to queued. The core answered, signed and
//     echoing our reference: pending, refunded or rejected. Everything else, foreseen or not: in_doubt.
//  4. A doubt is settled by asking with our reference. Only when the core has twice said, well after the send, that it
//     doesn't know the reference are the same bytes sent again. A machine that can't settle it calls people (manual).
//  5. The core works on it (pending) and is asked on a schedule until it says refunded or rejected.
//  6. Refunded: the core released the money, so the bank credits the customer's account by the same reference.
//  7. The bank posts the credit: credited, and the customer is told by SMS. The bank refuses it for good: returning,
//     until the core has taken the money back: returned.
//
// A refund can be withdrawn up to the claim of step 2 and never after it: from then on bytes may be under way, and
// nothing that this side writes down can call them back.
//
// Each numbered step is one compare-and-swap on the refund's version, so a process that dies anywhere leaves a row
// that says what may have happened, and a process that sleeps through its lease finds its next write refused.
package gateway
