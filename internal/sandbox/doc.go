// Package sandbox is the whole world on one machine: a gateway, the government core, the bank and the phone it talks to,
// and a control listener on which a test or a person reads messages, drives faults, looks at what really happened, and
// puts everything back.
//
// It is the assembly behind `go run ./cmd/sandbox` and behind the tests of other programs. The gateway in it is the
// production one (internal/program), made from a production configuration (configuration.go); only its neighbours are
// stand-ins, and its stores are embedded unless real servers are named (stores.go, servers.go).
//
// With the gateway off there are the stand-ins alone, for gateways that run elsewhere (elsewhere.go): the very same
// configuration is then written to a file. What the control listener does behind a gateway's back it does on those
// gateways' servers: reset empties them, forgive clears a customer's row, the referee reads the book. It reads nothing
// that is sealed, so it needs no key; and it waits for nobody, so it may be up before them.
//
// The referee (referee.go) holds what customers were told against the books of core and bank. Of the sandbox's own
// gateway it hears that on the wire; of others it is told. It is how "never lost, never paid twice, never a lie" is more
// than a sentence.
package sandbox
