// Package sandboxbank is the bank's own systems on one machine, as the gateway
// sees them: who is calling (an OpenID Connect issuer), whom they are (customers
// and staff), and the ledger that posts credits. It is written from the page
// of the bank protocol and imports none of the gateway's clients.
//
// # Identity
//
// The issuer offers the authorization code flow with PKCE, S256 and nothing
// weaker, behind a plain sign-in page; and, for tests, the password grant.
// Clients are public and unregistered, so codes go back to loopback addresses
// only. Access tokens are ES256 JWTs with the protocol's claims and a sid of
// their own for every sign-in. Rotate changes the signing key without notice;
// the old one stays published for as long as tokens signed by it live.
//
// # Ledger
//
// POST /credits has an effect at most once per reference, for ever. An outcome,
// posted or refused, is a line of an append-only file that is synced before
// anybody is answered; credits that arrive together share one sync. At the start
// the file is replayed: a last line that was cut short was never answered and is
// dropped, any other damage refuses to open. A write that fails leaves the file
// unknown, so from then on nothing is recorded and nothing answered but 503
// until the bank is opened again.
//
// # Faults
//
// hang_before, effect_then_hang and unavailable, for the call "customer"
// (customers, staff and search) and "credit" (both credit calls), matched by the
// person in question or the one whose account is credited. A stopped bank is the
// matter of whoever owns the listener.
package sandboxbank
