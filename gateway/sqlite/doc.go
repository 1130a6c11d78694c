// Package sqlite is the embedded store: the durable record of refunds in one file, for the sandbox and for whoever
// runs a single gateway without a database server. It keeps the contract of package storetest, as any other store does.
//
// # What it rests on
//
// The file is in WAL mode with synchronous=FULL: a commit that has returned is on the disk. One connection writes, in
// transactions that begin IMMEDIATE, and a pool of others reads without waiting for it. So every transaction sees all
// those before it, in this process and in any other that has the file open, and there is nothing to retry.
//
// Writes that arrive while a commit is being flushed are done together in the next transaction, each under a savepoint
// of its own, and share one flush (writer.go). A write that fails takes nothing with it but itself.
//
// # What the SQL repeats
//
// The schema in migrations/ holds the invariants of package gateway once more, by name: the states and which columns
// go with them, one live refund per request, one refund per challenge, which state may become which, that what was
// accepted never changes, that events are only ever appended and that no state changes without one. A program that is
// wrong, or a person with a shell, is refused by name.
//
// # Who may read it
//
// Identity numbers and IBANs are sealed (package seal) and bound to their refund and column, so a value that is copied
// to another row doesn't open. Beside them stand blind indexes. The file is made readable for its owner alone.
//
// # Time
//
// Times are kept in microseconds and in UTC. What is finer is cut off on the way in, also in the refunds that a write
// returns, so that what a caller holds is what a later read gives. The zero time stays the zero time.
//
// # Contexts
//
// A context bounds the wait for a write's turn. Once a write has begun it is carried to its end whatever becomes of the
// context, so an error of the context's own means here that nothing was written. Other stores can't promise that:
// whoever must not lose track of a write detaches it from its client, as bank.Path does.
package sqlite
