package gateway

import "strings"

// Mark is a stable word that a refund carries from its confirm on: why it awaits approval, or what was seen of it.
type Mark string

// Why a refund awaits a second person's approval; the rest are flags, for which a bank may have it wait.
const (
	AboveLimit      Mark = "above_limit"    // the day came to more than one person at the bank decides
	IdentityChecked Mark = "identity_check" // the customer could be sent no code; a teller made sure of them
)

// Marks are some of them, in their order, with a space between each two: a value like every other of a [Refund], which is
// compared as a whole.
type Marks string

// NewMarks returns these.
func NewMarks(marks ...Mark) Marks {
	words := make([]string, len(marks))
	for i, m := range marks {
		words[i] = string(m)
	}
	return Marks(strings.Join(words, " "))
}

// List is each of them.
func (m Marks) List() []Mark {
	var marks []Mark
	for word := range strings.FieldsSeq(string(m)) {
		marks = append(marks, Mark(word))
	}
	return marks
}
