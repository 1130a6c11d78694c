package corebanking

import "github.com/istirdad/istirdad/gateway"

// Why an outcome is unknown, beside the causes of package outbound: for logs, metrics and evidence.
const (
	causeMalformed    = "malformed"    // not JSON as it must be
	causeMismatch     = "mismatch"     // an answer to another question
	causeUndocumented = "undocumented" // a status, state or code that the protocol hasn't, or not with this call
)

// unknown is an outcome that decides nothing.
func unknown(cause string) error { return &gateway.UnknownError{Cause: cause} }
