package sandboxcore

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The worked vector of core-protocol.md.
const (
	vectorBody   = `{"reference":"RF0123456789ABCDEF","request_id":"rq-0001","amount":65000,"iban":"SA1280000555608000000003","payer":{"kind":"iqama","number":"2900000015"}}`
	vectorAnswer = `{"reference":"RF0123456789ABCDEF","request_id":"rq-0001","amount":65000,"iban":"SA1280000555608000000003","core_reference":"GC-778","state":"pending"}`
	vectorNonce  = "b3JJl0cXn2s1l5mP4m1yZg"

	vectorDigest          = "sha-256=:LxXugytngRjjnjtHyiTCwm24/iZ5N4t0r3ZgcEBtNE0=:"
	vectorSignature       = "core=:EqcAFu7XXxDI0H2bcLIluoUTdf3ilK1mEqq69Y96WdTwcU2dWat6Xu/3G4sLhgEufUxcRPkdSRyv0O9hDVvyDQ==:"
	vectorInput           = `core=("@method" "@authority" "@path" "@query" "content-digest");created=1772690400;expires=1772690460;nonce="b3JJl0cXn2s1l5mP4m1yZg";keyid="bank-80";alg="ed25519"`
	vectorAnswerDigest    = "sha-256=:qQ+B2acDxzONq/7ioEEtGPTNHWU5HD7hzyzEjYf9zNw=:"
	vectorAnswerSignature = "core=:1PO9Vuq7cdCUWhBtkeLIVn775Apk+wzk/ZXkzFijgUbSjuCD4VHhi/6OhjGxVacBplxbwfh8XVSrPRfTXr/8Cw==:"
	vectorAnswerInput     = `core=("@status" "content-digest");created=1772690401;expires=1772690461;nonce="b3JJl0cXn2s1l5mP4m1yZg";keyid="core-1";alg="ed25519"`
)

var bankKeys = map[string]ed25519.PublicKey{"bank-80": TestKey().Public().(ed25519.PublicKey)}

func vectorRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://core.example/core/v1/refunds", strings.NewReader(vectorBody))
	r.Header.Set("Content-Digest", vectorDigest)
	r.Header.Set("Signature-Input", vectorInput)
	r.Header.Set("Signature", vectorSignature)
	return r
}

func TestWorkedVectorOfARequest(t *testing.T) {
	got, err := verify(requestMessage(vectorRequest()), []byte(vectorBody), requestComponents, bankKeys)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	want := stamp{created: 1772690400, expires: 1772690460, nonce: vectorNonce, keyID: "bank-80"}
	if got != want {
		t.Errorf("stamp = %+v, want %+v", got, want)
	}

	r := httptest.NewRequest(http.MethodPost, "https://core.example/core/v1/refunds", nil)
	r.Header.Set("Content-Digest", contentDigest([]byte(vectorBody)))
	sign(requestMessage(r), requestComponents, want, TestKey())
	checkSignedHeader(t, r.Header, vectorDigest, vectorInput, vectorSignature)
}

func TestWorkedVectorOfAnAnswer(t *testing.T) {
	h := make(http.Header)
	s := stamp{created: 1772690401, expires: 1772690461, nonce: vectorNonce, keyID: "core-1"}
	h.Set("Content-Digest", contentDigest([]byte(vectorAnswer)))
	sign(message{status: http.StatusCreated, header: h}, answerComponents, s, TestKey())
	checkSignedHeader(t, h, vectorAnswerDigest, vectorAnswerInput, vectorAnswerSignature)
}

func checkSignedHeader(t *testing.T, h http.Header, digest, input, signature string) {
	t.Helper()
	for name, want := range map[string]string{"Content-Digest": digest, "Signature-Input": input, "Signature": signature} {
		if got := h.Get(name); got != want {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
	}
}

// RFC 9421, appendix B.2.6: signing a request using ed25519.
func TestRFC9421B26(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "https://example.com/foo?param=Value&Pet=dog", strings.NewReader(`{"hello": "world"}`))
	r.Header.Set("Date", "Tue, 20 Apr 2021 02:07:55 GMT")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Length", "18")
	const (
		input     = `sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`
		signature = `sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:`
		public    = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
	)
	inputs, err := parseDictionary(input)
	if err != nil {
		t.Fatal(err)
	}
	base, err := signatureBase(requestMessage(r), inputs["sig-b26"].(innerList))
	if err != nil {
		t.Fatal(err)
	}
	wantBase := strings.Join([]string{
		`"date": Tue, 20 Apr 2021 02:07:55 GMT`,
		`"@method": POST`,
		`"@path": /foo`,
		`"@authority": example.com`,
		`"content-type": application/json`,
		`"content-length": 18`,
		`"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
	}, "\n")
	if string(base) != wantBase {
		t.Errorf("signature base\n got %s\nwant %s", base, wantBase)
	}
	if got := "sig-b26=" + byteSequence(ed25519.Sign(TestKey(), base)); got != signature {
		t.Errorf("signature = %s, want %s", got, signature)
	}
	key, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(key, base, mustBytes(t, signature)) {
		t.Error("the RFC's signature does not verify with the RFC's public key")
	}
}

func mustBytes(t *testing.T, field string) []byte {
	t.Helper()
	members, err := parseDictionary(field)
	if err != nil {
		t.Fatal(err)
	}
	return members["sig-b26"].([]byte)
}

func TestVerifyRefusesWhatIsNotTheProtocol(t *testing.T) {
	replace := func(field, old, new string) func(*http.Request) {
		return func(r *http.Request) {
			changed := strings.Replace(r.Header.Get(field), old, new, 1)
			if changed == r.Header.Get(field) {
				panic("the test changes nothing")
			}
			r.Header.Set(field, changed)
		}
	}
	for name, tt := range map[string]struct {
		change func(*http.Request)
		want   error
	}{
		"no signature":          {func(r *http.Request) { r.Header.Del("Signature") }, errUnsigned},
		"no input":              {func(r *http.Request) { r.Header.Del("Signature-Input") }, errUnsigned},
		"another label":         {replace("Signature-Input", "core=", "sig1="), errUnsigned},
		"label twice":           {func(r *http.Request) { r.Header.Add("Signature", vectorSignature) }, errUnsigned},
		"a component less":      {replace("Signature-Input", ` "@query"`, ""), errUnsigned},
		"another order":         {replace("Signature-Input", `"@path" "@query"`, `"@query" "@path"`), errUnsigned},
		"component parameters":  {replace("Signature-Input", `"@query"`, `"@query";req`), errUnsigned},
		"no nonce":              {replace("Signature-Input", `;nonce="`+vectorNonce+`"`, ""), errUnsigned},
		"empty nonce":           {replace("Signature-Input", vectorNonce, ""), errUnsigned},
		"no expiry":             {replace("Signature-Input", ";expires=1772690460", ""), errUnsigned},
		"another algorithm":     {replace("Signature-Input", `"ed25519"`, `"hmac-sha256"`), errUnsigned},
		"a parameter more":      {replace("Signature-Input", ";alg", `;tag="x";alg`), errUnsigned},
		"a parameter twice":     {replace("Signature-Input", ";alg", `;created=1772690400;alg`), errUnsigned},
		"created is a string":   {replace("Signature-Input", "1772690400", `"1772690400"`), errUnsigned},
		"created was moved":     {replace("Signature-Input", "1772690400", "1772690401"), errSignature},
		"an unknown key":        {replace("Signature-Input", "bank-80", "bank-81"), errSignature},
		"another method":        {func(r *http.Request) { r.Method = http.MethodPut }, errSignature},
		"another host":          {func(r *http.Request) { r.Host = "core.example.net" }, errSignature},
		"another path":          {func(r *http.Request) { r.URL.Path = "/core/v1/balances" }, errSignature},
		"another query":         {func(r *http.Request) { r.URL.RawQuery = "a=b" }, errSignature},
		"another digest":        {replace("Content-Digest", "Lx", "lX"), errDigest},
		"no digest":             {func(r *http.Request) { r.Header.Del("Content-Digest") }, errDigest},
		"a digest of sha-512":   {replace("Content-Digest", "sha-256", "sha-512"), errDigest},
		"a signature too short": {replace("Signature", "EqcA", ""), errSignature},
	} {
		t.Run(name, func(t *testing.T) {
			r := vectorRequest()
			tt.change(r)
			if _, err := verify(requestMessage(r), []byte(vectorBody), requestComponents, bankKeys); !errors.Is(err, tt.want) {
				t.Errorf("verify = %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("another body", func(t *testing.T) {
		body := strings.Replace(vectorBody, "65000", "66000", 1)
		if _, err := verify(requestMessage(vectorRequest()), []byte(body), requestComponents, bankKeys); !errors.Is(err, errDigest) {
			t.Errorf("verify = %v, want %v", err, errDigest)
		}
	})
}

func TestVerifyToleratesWhatHTTPDoes(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"a proxy's signature beside it": func(r *http.Request) {
			r.Header.Add("Signature-Input", `proxy=("@method");created=1;keyid="p"`)
			r.Header.Add("Signature", "proxy=:AAAA:")
		},
		"the standard port":      func(r *http.Request) { r.Host = "core.example:443" },
		"upper case in the host": func(r *http.Request) { r.Host = "Core.Example" },
	} {
		t.Run(name, func(t *testing.T) {
			r := vectorRequest()
			change(r)
			if _, err := verify(requestMessage(r), []byte(vectorBody), requestComponents, bankKeys); err != nil {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

func TestTheWindowOfASignature(t *testing.T) {
	const now = 1772690400
	for _, tt := range []struct {
		name             string
		created, expires int64
		want             error
	}{
		{"now", now, now + 60, nil},
		{"short", now, now + 1, nil},
		{"a minute old", now - 60, now, nil},
		{"a minute ahead", now + 60, now + 120, nil},
		{"older than a minute", now - 61, now - 1, errWindow},
		{"more than a minute ahead", now + 61, now + 121, errWindow},
		{"expired", now - 30, now - 1, errWindow},
		{"too long a life", now, now + 61, errWindow},
		{"no life", now, now, errWindow},
		{"expires before it was made", now, now - 10, errWindow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stamp{created: tt.created, expires: tt.expires}
			if err := s.check(time.Unix(now, 0)); !errors.Is(err, tt.want) {
				t.Errorf("check = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestANonceIsAcceptedOnce(t *testing.T) {
	d := newDoor(bankKeys)
	at := time.Unix(1772690400, 0)
	if _, err := d.admit(vectorRequest(), []byte(vectorBody), at.Add(2*time.Minute)); !errors.Is(err, errWindow) {
		t.Fatalf("a late request: %v", err)
	}
	if _, err := d.admit(vectorRequest(), []byte("{}"), at); !errors.Is(err, errDigest) {
		t.Fatalf("a forged request: %v", err)
	}
	if _, err := d.admit(vectorRequest(), []byte(vectorBody), at); err != nil {
		t.Fatalf("the first good one, after two bad ones: %v", err)
	}
	for _, later := range []time.Duration{0, time.Second, 60 * time.Second} {
		if _, err := d.admit(vectorRequest(), []byte(vectorBody), at.Add(later)); !errors.Is(err, errReplayed) {
			t.Errorf("replayed %v later: %v", later, err)
		}
	}
	d.first(stamp{nonce: "another", expires: at.Unix() + 200}, at.Add(200*time.Second))
	if len(d.nonces) != 1 {
		t.Errorf("%d nonces are remembered, want 1: dead ones must go", len(d.nonces))
	}
}

func FuzzParseDictionary(f *testing.F) {
	for _, seed := range []string{vectorInput, vectorSignature, vectorDigest, `a=("b\"c");d=:AA==:, e=();f=-1`, "", "a", "a=(", `a=("b" "c"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		members, err := parseDictionary(field)
		if err != nil {
			return
		}
		for key, member := range members {
			list, ok := member.(innerList)
			if !ok {
				continue
			}
			again, err := parseDictionary(key + "=" + list.String())
			if err != nil || again[key].(innerList).String() != list.String() {
				t.Errorf("%q is not read back as it was written: %v", list, err)
			}
		}
	})
}

func FuzzVerifyBelievesTheSignerOnly(f *testing.F) {
	f.Add(vectorDigest, vectorInput, vectorSignature, vectorBody)
	f.Add(vectorAnswerDigest, vectorAnswerInput, vectorAnswerSignature, vectorAnswer)
	f.Fuzz(func(t *testing.T, digest, input, signature, body string) {
		r := vectorRequest()
		r.Header.Set("Content-Digest", digest)
		r.Header.Set("Signature-Input", input)
		r.Header.Set("Signature", signature)
		s, err := verify(requestMessage(r), []byte(body), requestComponents, bankKeys)
		if err == nil && (body != vectorBody || s.nonce != vectorNonce) {
			t.Errorf("believed %q, stamped %+v", body, s)
		}
	})
}
