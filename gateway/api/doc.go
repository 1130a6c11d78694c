// Package api is the channel API: the path in the order in which a customer walks it, over HTTP and JSON.
//
// It translates and does nothing more. Each route, in the order in which routes.go lists them, turns a request into one
// call of bank.Path and its result into an answer; problem.go holds the only table that turns errors into problems (RFC
// 9457) in two languages; strict.go holds what a body may look like, and fault.go what is said of one that doesn't. The
// OpenAPI document is emitted from the routes (openapi.yaml beside this file), and a test fails when the two differ.
//
// A file is a step of the path, or what comes beside it: the types of its bodies, samples of them for the contract, and its
// routes. types.go holds what they share.
//
// door.go says who comes to which route, and for whom they then speak: a customer for themselves, or a teller, by the
// header Assisted-Session, for the customer before them. Behind it no route knows the difference.
//
// Each request is told of once, by internal/reqlog: an event, a metric and a span. A caller carries the traceparent of
// its request, which a confirm keeps with the refund.
//
// A new route needs a row in two tables of the tests, which fail without it: what is refused of its form
// (malformed_test.go), and to whom (identity_test.go).
package api
