// Package refundcore speaks the protocol of the government refund core, version 1: it is the [dispatch.Core] and the
// [bank.Inquiries] of a gateway, and it verifies the callbacks of the core. A bank with another contract replaces this
// folder and nothing else.
//
// # One call
//
// A call takes a slot of its kind's bulkhead, passes the breaker of its kind, and gets a deadline that covers
// everything from the dial to the last byte of the body. Then exactly one HTTP request is made (internal/outbound). What
// happened is written down as facts (exchange.go), and one table makes an outcome of them (outcome.go):
//
//   - No connection was ever handed the request: [gateway.ErrNotSent]. This is the only proof that is accepted. From
//     the moment a connection has it, bytes may have left, whatever the error says.
//   - An answer whose signature holds (signature.go), which echoes what was asked and has a documented form: that.
//   - Everything else: *[gateway.UnknownError], with a cause from a short list. It is also the default, so a status, code,
//     state or failure that nobody foresaw decides nothing.
//
// # Why three breakers, and the bulkhead outside
//
// Doubts clear by asking; if the breaker of the sends covered the questions too, a refund in doubt would stay so for as
// long as sends fail. So submit (with return), status and inquiry have one breaker and one bulkhead each. The bulkhead
// stands outside the breaker because a closed breaker lets any number in at once: by the time the fifth failure trips
// it, a thousand calls may be under way. A call that finds either of them shut is [gateway.ErrCutOff]: nothing left,
// no attempt is spent, and nothing is counted as a failure.
//
// A breaker counts what says that the core is unwell. A refusal that verifies is the core working, and a caller that
// leaves says nothing about it; a timeout does. The rule for every outcome stands at healthy (breaker.go).
//
// # What is never logged
//
// Parties and accounts stand in bodies only, and neither a body nor an error text that may quote one leaves this
// package: errors of the transport are its kinds (internal/outbound), and those of an answer are words of our own.
package refundcore
