package redissession

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

// What the release before has written: previews and proofs that say less.
const (
	olderPreview = `{"Client":"web","Key":"k","ID":"p-1","Origin":{"Customer":"c","Session":"s","Client":"web","Channel":"online",
		"Teller":"","Employee":"","Branch":""},"Request":"rq-1","Service":"090-003","Name":{"AR":"تجديد إقامة","EN":"Renew Iqama"},
		"Amount":30000,"Payer":{"Kind":"national_id","Number":"1900000017"},"Beneficiary":{"Kind":"iqama","Number":"2900000015"},
		"To":"SA6680000555608000000001","CreatedAt":"2026-03-01T06:10:00Z","ExpiresAt":"2026-03-01T06:15:00Z",
		"Promised":"2026-03-04","NeedsCode":true,"Approval":false,"Warnings":null}`
	olderProof = `{"Ends":"9999-12-31T23:59:59Z"}`
)

// TestOtherReleases: gateways of two releases share a Redis while one takes the other's place.
func TestOtherReleases(t *testing.T) {
	sealer, err := seal.New("k1", bytes.Repeat([]byte{1}, seal.MasterLen))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	s, alice := New(client, sealer), bank.Holder{Customer: "c", Session: "s"}
	put := func(text []byte, kind string, names ...string) {
		t.Helper()
		at, err := s.place(kind, alice, names...)
		if err == nil {
			err = client.Set(t.Context(), at.key, s.sealer.Seal(text, at.associated), time.Minute).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	put([]byte(olderPreview), kindPreview, "p-1")
	older, err := s.Preview(t.Context(), alice, "p-1")
	if err != nil || older.Payment.Amount != 300_00 || older.Promised != (saudi.Date{Year: 2026, Month: 3, Day: 4}) || older.Proof != "" ||
		!older.MobileChangedAt.IsZero() {
		t.Errorf("the older one's preview is %+v, %v", older, err)
	}
	put([]byte(olderProof), kindProof)
	if challenge, err := s.UseProof(t.Context(), alice); err != nil || challenge != "" {
		t.Errorf("the older one's proof was given by the code of %q, %v", challenge, err)
	}

	// A newer one's, with a field that we don't know.
	put([]byte(strings.Replace(olderPreview, "{", `{"Later":"x","Proof":"ch-1",`, 1)), kindPreview, "p-1")
	if newer, err := s.Preview(t.Context(), alice, "p-1"); err != nil || newer.ID != "p-1" || newer.Proof != "ch-1" {
		t.Errorf("the newer one's preview is %+v, %v", newer, err)
	}
	put([]byte(`{"Later":"x","Challenge":"ch-1",`+olderProof[1:]), kindProof)
	if challenge, err := s.UseProof(t.Context(), alice); err != nil || challenge != "ch-1" {
		t.Errorf("the newer one's proof was given by the code of %q, %v", challenge, err)
	}

	// A release of before turned away what it didn't know: what has nothing to say isn't there.
	for field, p := range map[string]bank.Preview{"MobileChangedAt": {MobileChangedAt: time.Unix(1, 0)}, "Proof": {Proof: "ch-1"}} {
		for want, p := range map[bool]bank.Preview{true: p, false: {}} {
			text, err := json.Marshal(keep(bank.Key{}, p))
			if is := strings.Contains(string(text), `"`+field+`"`); err != nil || is != want {
				t.Errorf("%s is there: %v, %v; %s", field, is, err, text)
			}
		}
	}
}
