package client

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzStream: every stream is read to its end, and an event that is told has data.
func FuzzStream(f *testing.F) {
	f.Add("retry: 2000\n\nevent: refund\nid: 1\ndata: {\"status\":\"completed\"}\n\nevent: ping\ndata: {}\n\n")
	f.Add("data\n\nid\nevent\nretry: x\n\r\n: \n\ndata: null\nevent: refund\n\n")
	f.Fuzz(func(t *testing.T, said string) {
		events := reader{bufio.NewScanner(strings.NewReader(said))}
		for n := 0; ; n++ {
			e, err := events.next()
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrTooLong):
				return
			case err != nil:
				t.Fatal(err)
			case n > len(said):
				t.Fatal("there are more events than bytes")
			case strings.Count(e.data, "\n") >= strings.Count(said, "data") || strings.ContainsRune(e.name+e.id, '\n'):
				t.Errorf("%q is told as %+v", said, e)
			}
			var told RefundOrPreview
			if json.Unmarshal([]byte(e.data), &told) == nil && (told.Refund == nil) == (told.Preview == nil) {
				t.Errorf("%q is %+v", e.data, told)
			}
		}
	})
}

// FuzzHalalas: what is read is written as it was.
func FuzzHalalas(f *testing.F) {
	f.Add("650.00")
	f.Add("92233720368547758.07")
	f.Fuzz(func(t *testing.T, riyals string) {
		if h, err := ParseHalalas(riyals); err == nil && h.String() != riyals || err != nil && h != 0 {
			t.Errorf("%q is %d, which is %q (%v)", riyals, h, h.String(), err)
		}
	})
}
