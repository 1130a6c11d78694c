package kept

import (
	"time"

	"github.com/istirdad/istirdad/bank"
)

// How long is kept what is needed for a time and then is only somebody's. A store forgets it as the next one comes, and
// never what is younger by the clock of its own database, whatever time it is told.
const (
	SMSFor  = 90 * 24 * time.Hour // what a customer was told
	UsesFor = bank.UsesKept       // whom an account was used for: as far back as a flag can look
)

// SeenFor is how long a callback is remembered: as long as the core remembers references (core-protocol.md, rule 1).
const SeenFor = 90 * 24 * time.Hour
