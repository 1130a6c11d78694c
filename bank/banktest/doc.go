// Package banktest is the whole world in one line, for other people's tests: a gateway, the government core, the bank
// and the phone, on free ports of this machine, with people who can sign in and faults that can be switched on.
//
//	func TestRefund(t *testing.T) {
//		w := banktest.Start(t)
//		c := w.Customer("p03")
//		c.Prove()
//		preview := c.Preview("rq-p03-1")
//		c.Confirm(preview.RefundID).Want(202)
//		c.Await(preview.RefundID, "completed")
//		w.Exact()
//	}
//
// At the counter a [Teller] serves the same people, and what they are served is the same calls:
//
//	v := w.Teller("t01").Serve("p01")
//	v.Confirm(v.Preview("rq-p01-1").RefundID).Want(202)
//
// What one person at the bank doesn't decide alone waits for an [Approver]:
//
//	a := w.Approver("a01").List()[0]
//	w.Approver("a01").Approve(a.RefundID, "seen", a.Digest).Want(200)
//
// Nothing is mocked: the gateway is the production one, every step is an HTTP call, codes are read from the SMS, and
// Exact asks a referee whether anything was lost, doubled or lied about. The world is polite unless it is started
// [Hostile].
//
// # Testing a program of your own
//
// [World.URLs] is what your program is to be told: where the channel API is, and the OpenID Connect issuer. It runs as
// it does elsewhere, and the test looks at it from three sides that it doesn't know of:
//
//	code := w.Phone("p03").Code(t)                // the customer's phone
//	w.Fault(banktest.Late, banktest.OnSubmit)     // whatever can go wrong
//	w.Settled(time.Minute)                        // the books, once all is done
//
// Everybody's password is [Password]. Whom there is, with their accounts and requests, [World.People] lists: p01 to p14,
// the tellers t01 to t03, the approvers a01 to a03, and with a [Crowd] as many more as a test of load wants.
//
// A program in another language starts the same world with `sandbox -free-ports -polite -print-json`, which prints the
// URLs and stays up. [Attach] is for a Go test beside such a one, and for any number of gateways elsewhere.
//
// # Goroutines
//
// Helpers fail the test themselves. They stop it, too, so they belong on the test's own goroutine; [World.Together]
// runs many at once and hands each a World whose helpers stop that goroutine alone. URLs, tokens and phones may be used
// from anywhere, and so may one World from several of those goroutines. No failure prints a token or a code.
package banktest
