// Package postgres is the durable store: the record of refunds in a PostgreSQL database, for any number of gateways. It
// keeps the contract of package storetest, as the embedded store does.
//
// # What it rests on
//
// READ COMMITTED, and locks and unique indexes that decide: one live refund per request, one refund per challenge, one
// compare-and-swap per version, one row for a customer's day. Nothing is decided by a read alone, so there is nothing
// that SERIALIZABLE would add. A commit that was answered is on the disk (and on the synchronous standby, when there is
// one): [Open] and every connection refuse a server with fsync, full_page_writes or synchronous_commit off.
//
// # Round trips
//
// Statements travel in batches, the transaction's begin and commit with them. Once a connection knows its statements:
//
//	Accept     1 when nothing was spent that day and the request has no dead refund, which is guessed first and which
//	           the unique indexes check. Else the guess is rolled back and 2 more lock the customer's day and write
//	Accepted   2
//	Apply      1
//	Claim      2: lock and read what is due, write what Take made of it. One more when Take refuses some; when the
//	           database refuses one, one for each of the claim
//	Update     2: lock and read the record, write it
//	Seen       1
//	Withdraw   1; two more when the id is a refund
//	End        1
//	reads      1
//
// A write that is refused costs one more, to roll back; a connection that lay idle for a second is tried out first.
//
// # A COMMIT whose answer is lost
//
// It is neither done nor not done until somebody looks, and the driver's own opinion, a function that calls errors safe
// to retry, is not asked: it errs. The store ends the server's process that had the transaction, waits until it is gone,
// and then looks for the stamp that every write leaves. The stamp is drawn by the writer, so it is known before anything
// is sent, which the id of a transaction isn't in a single round trip; and a process that is gone runs no statement that
// is still on its way, as one that is merely idle would. After a failover it is gone from the start, and the new
// server's rows are the truth. What can't be settled so within two seconds is returned as the unknown it is.
//
// With a synchronous standby, what is there to be read may still be on one machine alone: its commit's wait was cut
// short. So whoever finds a write that somebody else was waiting for (after a lost answer, or as a client that comes
// again) commits a small one behind it and waits for that.
//
// Whatever else the server says of a transaction is definite. One that it gave up for others (class 40: 40001, 40P01) is
// tried again from the start, three times at most; any other error is the caller's. Neither is to be expected: READ
// COMMITTED knows no serialization failures, and whoever waits in a circle runs out of his 500 ms for a lock (55P03,
// which isn't tried again) before the server looks for deadlocks, which it does after a second unless set otherwise.
//
// # Time limits
//
// A connection is waited for 250 ms, a statement may take 2 s and a lock 500 ms, a write with all its statements 3 s.
// A context bounds the wait for the connection; once a write has begun it is carried to its end whatever becomes of the
// context. The dispatcher's work (Claim, Apply, Reference) has a pool of its own: a flood of customers doesn't keep it
// from its refunds, nor a long queue the customers from theirs.
//
// # Locks are taken in one order
//
// The refund, then the customer's day, then what the unique indexes guard, then the customer's ledger or, for a refund
// that ends, a counter of its state: so two writes wait for each other in one direction only. A claim that ends several
// takes the counters in the order of their states, after all its days.
//
// # How many stand where
//
// Counts is exact however many refunds there are: those that haven't ended are few and counted in an index that holds
// no others; those that have are in table ended, which a trigger moves in the transaction that ends a refund. It has 32
// counters for each final state, by the server's process, so that endings don't queue for one row.
//
// # What the SQL repeats
//
// The schema in migrations/ holds the invariants of package gateway once more, by name, as the embedded store's does.
// Beyond it, an event without its move is refused at the end of a transaction, and so is the other way round.
//
// # Two roles
//
// [Migrate] runs as the owner of the schema; the gateway runs as a role that may read, insert, and update the columns
// that move, and nothing else: what it counts goes through a trigger that works as the owner, and what it deletes
// (previews, callbacks, ended sessions, messages and uses of accounts too old to matter) through functions that the
// owner gave it. Open with RequireRestricted refuses a role that could do more. Whoever seals values anew under another
// key does so as the owner.
//
// # Rolling deploys
//
// A migration only adds: its first line says the oldest program version that can still work with what it leaves, and
// the schema remembers. A program runs on its own schema and on a newer one that says it may; never on an older one.
// It never alters a column's type: a statement that a running gateway has prepared would fail for as long as its
// connection lives.
//
// A step waits 200 ms for a table, and tries again for about a minute: a gateway's statement that has to wait behind it
// waits no longer than it may.
//
// # Connections
//
// Connect directly, or through a pooler that keeps a session's server process: the time limits and the search path are
// the session's, and a lost answer is settled by the id of the process. Several hosts may be named; the one that takes
// writes is used.
//
// Identity numbers, IBANs and times are kept as package sqlite says. What is finer than a microsecond is cut off on the
// way in.
package postgres
