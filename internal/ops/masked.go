package ops

import (
	"strings"

	"github.com/istirdad/istirdad/internal/saudi"
)

// number is somebody's, and what is shown of it.
type number struct{ clear, masked string }

// maskedBody is a body that was signed, with the refund's numbers as they are shown everywhere, and any other number that may
// be somebody's masked. All else stays to the byte: whoever knows the numbers puts them back and has what was signed. Of
// kept, which are names of the refund's, nothing is taken for a number.
func maskedBody(body string, numbers []number, kept ...string) string {
	for i, name := range kept {
		if at := strings.Index(body, name); name != "" && at >= 0 {
			return maskedBody(body[:at], numbers, kept[i:]...) + name + maskedBody(body[at+len(name):], numbers, kept[i:]...)
		}
	}
	for _, n := range numbers {
		if n.clear != "" {
			body = strings.ReplaceAll(body, n.clear, n.masked)
		}
	}
	return saudi.MaskNumbers(body)
}
