package ops

import (
	"strings"

	"github.com/istirdad/istirdad/internal/saudi"
)

// number is somebody's, and what is shown of it.
type number struct{ clear, masked string }

// maskedBody is a body that was signed, with the refund's numbers as they are shown everywhere, and any other number that may
// be somebody's masked. All else stays to the byte: whoever knows the numbers puts them back and has what was signed. A
// whole string of it that is one of kept, which are names of the refund's, is taken for no number.
func maskedBody(body string, numbers []number, kept ...string) string {
	for _, n := range numbers {
		if n.clear != "" {
			body = strings.ReplaceAll(body, n.clear, n.masked)
		}
	}
	return maskedAround(body, kept)
}

// maskedAround goes by whole strings: the core chooses its names, and one that is part of a number must not split it.
func maskedAround(body string, kept []string) string {
	if len(kept) == 0 {
		return saudi.MaskBody(body)
	}
	name := `"` + kept[0] + `"`
	around := strings.Split(body, name)
	for i, text := range around {
		around[i] = maskedAround(text, kept[1:])
	}
	return strings.Join(around, name)
}
