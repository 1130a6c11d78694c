// Package otp is proof that a phone was in someone's hand: the life of a
// one-time code from the request for an SMS to the moment it is used up.
//
// # The two stores, and why there are two
//
// What must survive anything is in the [Ledger]: how many wrong codes a
// customer typed in a row, until when that blocks them, and which SMS they were
// sent. What may vanish is in [Codes]: the one live challenge of a customer.
// Losing it only ever takes away the ability to go on; no loss, flush or
// rollback of it verifies a code or forgets a wrong one that was answered.
//
// # The order of things
//
// A code is issued so: the ledger decides and takes one SMS from the budget in
// one durable write; the code is made; its MAC is stored, superseding whatever
// challenge the customer had; the SMS is sent inside the request. When the SMS
// definitely did not leave, the challenge is void and the SMS is given back;
// when nobody knows, the customer is told that it was sent and may ask again.
//
// A code is verified so: the ledger is read, and a blocked customer goes no
// further; one atomic step in [Codes] first counts the attempt and only then
// compares; a wrong code is committed to the ledger before the answer leaves;
// a right one is burnt and clears the failures in the ledger.
//
// Guesses and requests for codes may come at once, over all processes. The
// ledger hears of a wrong code after the comparison, so [Codes] hands on what it
// has compared from each challenge to the next, and the tries of a new one are
// what both together leave: however many challenges there are, no more wrong
// codes in a row are compared than bring a block.
//
// Everything that goes wrong on the way is [ErrUnavailable]: nothing was
// decided in the customer's favour, and they may try again.
//
// # Secrets
//
// The code itself is stored nowhere. It is HOTP (RFC 4226, with SHA-256) under a
// secret derived from the pepper, the challenge and its generation, and only a
// MAC of it under the pepper is kept, so that reading the store reveals no code
// and writing to it forges none: the customer, session, purpose and binding of
// a challenge are sealed by a second MAC. In memory a code is a [Code], which
// masks itself in logs, formats and JSON.
package otp
