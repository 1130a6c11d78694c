// Package dispatch carries due refunds to the core, settles what is in doubt, has the bank post what the core
// released, and tells the customer. It owns the ports of all it needs for that: [Core], [Ledger], [Queue],
// [Recipients].
//
// One loop claims due refunds in small batches and hands each to a worker. A claim is durable before anything else
// happens: a queued refund is sending by then, whoever holds it has a lease, and a lease that runs out leaves a row
// that says what may have happened. There is no other recovery. Normal operation after a restart is recovery.
//
// An attempt has three outcomes, never two. Provably not sent: it may be tried again. A verified answer: it is
// recorded. Everything else, and above all what nobody thought of, is a doubt, and a doubt is settled by asking.
// The switch statements in core.go and bank.go therefore all end in a default that doubts. Treating an unforeseen error
// as retryable is how one refund is sent a hundred times.
//
// While the breaker of a kind of call is open, refunds that need that call are not claimed at all: waiting is not
// failing. When it closes, the drain ramps up, oldest first.
//
// A process that is asked to stop begins no call any more. What is under way is let finish and recorded, and what it
// would have gone on to is left to whoever still runs: Run returns within one call's deadline and one write.
//
// An attempt is a span of the trace in which the refund was confirmed, which is kept with the refund.
package dispatch
