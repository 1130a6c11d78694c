// Package bank is who is asking and how far along they are: the customer's path from the profile to the confirm, and
// the rules that hold on each step of it.
//
// The path is token → proof → preview → code, and no journey is stored anywhere. A token says who calls. A proof says
// that the customer's phone was in somebody's hand a few minutes ago, in this session. A preview says what would be
// given back, to which account, sealed so that nothing in it can be altered before it is confirmed. A code, above an
// amount that the bank sets, says that the phone's holder agreed to just that preview. Each is checked where it is
// used, so there is no order of steps to enforce and none to skip.
//
// A [Caller] is who asks and for whom. Online the two are one; at a branch's counter it is a teller for the customer
// before them, in an [AssistedSession], which then stands for token and proof alike. The steps are the same, and don't know
// which it is: what differs is the limit, who must agree, and who is on record as having acted.
//
// What one person at the bank doesn't decide alone is recorded and waits: for another person, at the same branch or in the
// back office, who says back the digest of what they were shown. Of two decisions one is made, with who made it and why,
// and what nobody decides on is cancelled when its day in Riyadh ends.
//
// [Path] holds the steps. What it needs of the outside it declares as small interfaces, kept in the folders below:
// the bank's own systems (corebanking), its token issuer (identity), and what may be forgotten (redissession). What
// must never be forgotten is the gateway's store.
package bank
