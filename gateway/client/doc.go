// Package client calls the channel API: a customer's way from the profile to the money, in the order of the path.
//
//	c, err := client.New("https://refunds.bank.example", token)
//	challenge, err := c.Challenge(ctx)                        // an SMS goes out
//	proof, err := c.Verify(ctx, challenge.ChallengeID, code)  // what the customer read
//	for request, err := range c.Requests(ctx, "090-003") { … }
//	preview, err := c.Preview(ctx, client.Ask{…})
//	accepted, err := c.Confirm(ctx, preview.RefundID)
//	for refund, err := range c.Events(ctx, preview.RefundID) { … }
//
// A refusal is a [Problem], whose [Code] is an error of its own:
//
//	if errors.Is(err, client.ErrStepUpRequired) { … }
//
// # What is sent again
//
// A call is repeated only where that can do no harm: what reads, what withdraws or ends, a preview (under one
// Idempotency-Key, made for it) and a confirm without a code (the refund's id is its key, for ever). It is repeated
// when no answer came, when a proxy answered for a gateway that it couldn't reach, and on try_again, where nothing was
// decided; not before Retry-After, never past the context's deadline, and a few times only. A code is never asked for,
// sent anew or entered a second time: the customer would get another SMS, or lose a try. When such a call gets no
// answer the error is [ErrNoAnswer]: what became of it is unknown.
//
// # What it is made of
//
// The requests are made by code that is generated from the contract, gateway/api/openapi.yaml; the types here are written
// for people, and a test holds them to the contract field by field. The package links nothing of the server. No token,
// code, identifier or account that was given to it is in any of its errors.
package client
