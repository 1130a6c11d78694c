// Package banktest is the whole world in one line, for other people's tests: a gateway, the government core, the bank
// and the phone, on free ports of this machine, with people who can sign in and faults that can be switched on.
//
//	w := banktest.Start(t)
//	c := w.Customer("p03")
//	c.Prove()
//	preview := c.Preview("rq-p03-1")
//	c.Confirm(preview.RefundID).Want(202)
//	c.Await(preview.RefundID, "completed")
//	w.Exact()
//
// Nothing is mocked: the gateway is the production one, every step is an HTTP call, codes are read from the SMS, and
// Exact asks the sandbox's referee whether anything was lost, doubled or lied about. The world is polite unless it is
// started Hostile.
//
// The stores are embedded unless the world is started on real [Servers]. [Attach] is for a world that runs in processes of
// its own, the stand-ins in one and any number of gateways in others: everything else here is the same for it.
//
// Helpers fail the test themselves. They stop it, too, so they belong on the test's own goroutine; [World.Together]
// runs many at once and hands each a World whose helpers stop that goroutine alone. No failure prints a token or a
// code.
package banktest
