package sandboxphone

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

// Through the inside door: fifty thousand HTTP calls would prove no more.
func TestMemoryIsBounded(t *testing.T) {
	const first, others = "+966500000002", "+966500000001"
	phone := New(sandboxseed.World{}, sandboxfault.NewBoard(1))
	const over = 3
	for i := range Capacity + over {
		to := others
		if i == 0 {
			to = first
		}
		phone.deliver(handover{ID: fmt.Sprint(i), To: to, Sender: "Bank", Text: "x"})
	}
	all := phone.Messages("")
	if oldest := all[len(all)-1]; len(all) != Capacity || oldest.MessageID != fmt.Sprint(over) {
		t.Errorf("%d kept, the oldest is %+v", len(all), oldest)
	}
	if len(phone.numbers) != 1 || len(phone.Messages(others)) != Capacity || len(phone.seen) != Capacity {
		t.Errorf("%d numbers, %d messages of one, %d ids", len(phone.numbers), len(phone.Messages(others)), len(phone.seen))
	}
}

func FuzzParseHandover(f *testing.F) {
	for _, s := range []string{
		`{"id":"a","to":"+966500000001","sender":"Bank","text":"رمز"}`, `{"id":"a"}`, `{}`, `null`, `[]`, `{"id":"a"}{}`, "\xff",
		`{"id":"a","to":"+966500000001","sender":"Bank","text":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parseHandover(body)
		if err != nil {
			return
		}
		if m, err := saudi.ParseMobile(in.To); err != nil || m.E164() != in.To {
			t.Errorf("took the number %q", in.To)
		}
		if in.ID == "" || in.Text == "" || len(in.Sender) < 3 || len(in.Sender) > 11 || !utf8.ValidString(in.Text) {
			t.Errorf("took %+v", in)
		}
		again, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := parseHandover(again); err != nil || same != in {
			t.Errorf("%+v came back as %+v: %v", in, same, err)
		}
	})
}
