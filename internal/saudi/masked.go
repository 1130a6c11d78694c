package saudi

import (
	"fmt"
	"unique"
)

// hidden is a text that only reveal gives away. Two of them are == exactly when
// their texts are; the zero one is the empty text. A plain string would be
// printed by fmt when it meets one in an unexported field.
type hidden struct{ handle unique.Handle[string] }

func conceal(text string) hidden {
	if text == "" {
		return hidden{}
	}
	return hidden{unique.Make(text)}
}

func (h hidden) isZero() bool { return h == hidden{} }

func (h hidden) reveal() string {
	if h.isZero() {
		return "" // Value of a zero Handle panics
	}
	return h.handle.Value()
}

// formatMasked is the fmt.Formatter of the masking types: the mask whatever the
// verb, so that no spelling of a format (%d, %x, %#v …) finds a way around it.
func formatMasked(state fmt.State, verb rune, typeName, mask string) {
	switch {
	case verb == 'v' && state.Flag('#'):
		fmt.Fprintf(state, "%s(%q)", typeName, mask)
	case verb == 'q':
		fmt.Fprintf(state, fmt.FormatString(state, 'q'), mask)
	default:
		fmt.Fprintf(state, fmt.FormatString(state, 's'), mask)
	}
}
