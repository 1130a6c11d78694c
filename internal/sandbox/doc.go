// Package sandbox is the whole world on one machine: a gateway with embedded stores, the government core, the bank and
// the phone it talks to, and a control listener on which a test or a person reads messages, drives faults, looks at
// what really happened, and puts everything back.
//
// It is the assembly behind `go run ./cmd/sandbox` and behind the tests of other programs. The gateway in it is the
// production one (internal/program); only its stores are embedded and only its neighbours are stand-ins.
//
// The referee (referee.go) holds what customers were told, as seen on the wire, against the books of core and bank. It
// is how "never lost, never paid twice, never a lie" is more than a sentence.
package sandbox
