package redissession

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

// TestOtherReleasesReadPreviews: gateways of two releases share a Redis while one takes the other's place.
func TestOtherReleasesReadPreviews(t *testing.T) {
	sealer, err := seal.New("k1", bytes.Repeat([]byte{1}, seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	s := New(nil, sealer)
	at, err := s.place(kindPreview, bank.Holder{Customer: "c", Session: "s"}, "p-1")
	if err != nil {
		t.Fatal(err)
	}
	// A newer one's, with a field that we don't know.
	sealed, err := s.seal(at, struct {
		kept
		Later string
	}{kept{ID: "p-1", Promised: saudi.DateOf(time.Now())}, "x"})
	var read kept
	if err != nil || !s.open(at, sealed, &read) || read.ID != "p-1" {
		t.Errorf("read %q, %v", read.ID, err)
	}
	// The older one turns away what it doesn't know: it is there only when there is something to say.
	for name, p := range map[string]bank.Preview{"absent": {}, "there": {MobileChangedAt: time.Unix(1, 0)}} {
		text, err := json.Marshal(keep(bank.Key{}, p))
		if there := strings.Contains(string(text), "MobileChangedAt"); err != nil || there != (name == "there") {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}
