package refundcore

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/outbound"
)

// testKey is test-key-ed25519 of RFC 9421 B.1.4.
func testKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	seed, err := base64.RawURLEncoding.DecodeString("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU")
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	const public = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"
	if got := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)); got != public {
		t.Fatalf("public key %s, the RFC has %s", got, public)
	}
	return key
}

func testVerifier(t testing.TB) verifier {
	t.Helper()
	return verifier{map[string]ed25519.PublicKey{"core-1": testKey(t).Public().(ed25519.PublicKey)}}
}

// The worked vector of the protocol page.
const (
	vectorNonce     = "b3JJl0cXn2s1l5mP4m1yZg"
	vectorBody      = `{"reference":"RF0123456789ABCDEF","request_id":"rq-0001","amount":65000,"iban":"SA1280000555608000000003","payer":{"kind":"iqama","number":"2900000015"}}`
	vectorDigest    = "sha-256=:LxXugytngRjjnjtHyiTCwm24/iZ5N4t0r3ZgcEBtNE0=:"
	vectorInput     = `core=("@method" "@authority" "@path" "@query" "content-digest");created=1772690400;expires=1772690460;nonce="b3JJl0cXn2s1l5mP4m1yZg";keyid="bank-80";alg="ed25519"`
	vectorSignature = "core=:EqcAFu7XXxDI0H2bcLIluoUTdf3ilK1mEqq69Y96WdTwcU2dWat6Xu/3G4sLhgEufUxcRPkdSRyv0O9hDVvyDQ==:"

	vectorAnswer          = `{"reference":"RF0123456789ABCDEF","request_id":"rq-0001","amount":65000,"iban":"SA1280000555608000000003","core_reference":"GC-778","state":"pending"}`
	vectorAnswerDigest    = "sha-256=:qQ+B2acDxzONq/7ioEEtGPTNHWU5HD7hzyzEjYf9zNw=:"
	vectorAnswerInput     = `core=("@status" "content-digest");created=1772690401;expires=1772690461;nonce="b3JJl0cXn2s1l5mP4m1yZg";keyid="core-1";alg="ed25519"`
	vectorAnswerSignature = "core=:1PO9Vuq7cdCUWhBtkeLIVn775Apk+wzk/ZXkzFijgUbSjuCD4VHhi/6OhjGxVacBplxbwfh8XVSrPRfTXr/8Cw==:"
)

func vectorExchange() outbound.Exchange {
	return outbound.Exchange{
		Handed: true, Status: 201, Body: []byte(vectorAnswer), At: time.Unix(1772690402, 0),
		Header: http.Header{
			"Content-Digest":  {vectorAnswerDigest},
			"Signature-Input": {vectorAnswerInput},
			"Signature":       {vectorAnswerSignature},
		},
	}
}

func vectorRequest(t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequest("POST", "https://core.example/core/v1/refunds", nil)
	if err != nil {
		t.Fatal(err)
	}
	signer{"bank-80", testKey(t)}.sign(req, []byte(vectorBody), stamp{time.Unix(1772690400, 0), vectorNonce})
	return req
}

func TestWorkedVectorRequest(t *testing.T) {
	req := vectorRequest(t)
	for field, want := range map[string]string{
		"Content-Digest": vectorDigest, "Signature-Input": vectorInput, "Signature": vectorSignature,
	} {
		if got := req.Header.Get(field); got != want {
			t.Errorf("%s:\n got %s\nwant %s", field, got, want)
		}
	}
	values := requestValues(req, "core.example", vectorDigest)
	base := string(signatureBase(requestComponents, values, strings.TrimPrefix(vectorInput, "core=")))
	if !strings.Contains(base, "\n\"@query\": ?\n") {
		t.Errorf("no empty query in the base:\n%s", base)
	}
}

func TestWorkedVectorAnswer(t *testing.T) {
	if err := testVerifier(t).answer(vectorExchange(), vectorNonce); err != nil {
		t.Fatal(err)
	}
}

// TestRequestIsOneThatTheCoreWouldAccept reads our own request as the core has to.
func TestRequestIsOneThatTheCoreWouldAccept(t *testing.T) {
	req := vectorRequest(t)
	core := verifier{map[string]ed25519.PublicKey{"bank-80": testKey(t).Public().(ed25519.PublicKey)}}
	values := requestValues(req, "core.example", digest([]byte(vectorBody)))
	in, err := core.verify(req.Header, requestComponents, values, time.Unix(1772690400, 0))
	if err != nil || in.nonce != vectorNonce {
		t.Fatalf("nonce %q, %v", in.nonce, err)
	}
}

// TestEveryTamperedFieldIsRefused alters one thing of the worked answer at a time.
func TestEveryTamperedFieldIsRefused(t *testing.T) {
	input := func(from, to string) func(*outbound.Exchange) {
		return func(x *outbound.Exchange) {
			altered := strings.Replace(vectorAnswerInput, from, to, 1)
			if altered == vectorAnswerInput {
				panic("nothing altered: " + from)
			}
			x.Header.Set("Signature-Input", altered)
		}
	}
	signature := func(s string) func(*outbound.Exchange) {
		return func(x *outbound.Exchange) { x.Header.Set("Signature", s) }
	}
	tests := map[string]func(*outbound.Exchange){
		"status":                   func(x *outbound.Exchange) { x.Status = 200 },
		"body":                     func(x *outbound.Exchange) { x.Body = []byte(strings.Replace(vectorAnswer, "65000", "65001", 1)) },
		"body and digest":          func(x *outbound.Exchange) { x.Body = []byte("{}"); x.Header.Set("Content-Digest", digest(x.Body)) },
		"no digest":                func(x *outbound.Exchange) { x.Header.Del("Content-Digest") },
		"two digests":              func(x *outbound.Exchange) { x.Header.Add("Content-Digest", vectorAnswerDigest) },
		"digest by sha-512":        func(x *outbound.Exchange) { x.Header.Set("Content-Digest", "sha-512=:AAAA:") },
		"no input":                 func(x *outbound.Exchange) { x.Header.Del("Signature-Input") },
		"two inputs":               func(x *outbound.Exchange) { x.Header.Add("Signature-Input", vectorAnswerInput) },
		"no signature":             func(x *outbound.Exchange) { x.Header.Del("Signature") },
		"two signatures":           func(x *outbound.Exchange) { x.Header.Add("Signature", vectorAnswerSignature) },
		"signature of the request": signature(vectorSignature),
		"signature flipped":        signature("core=:2" + vectorAnswerSignature[7:]),
		"signature short":          signature("core=:AAAA:"),
		"signature empty":          signature("core=::"),
		"signature unlabelled":     signature(strings.TrimPrefix(vectorAnswerSignature, "core=")),
		"signature of another":     signature("sig" + vectorAnswerSignature),
		"signature trailed":        signature(vectorAnswerSignature + ", x=1"),
		"created earlier":          input("1772690401", "1772690400"),
		"created later":            input("1772690401", "1772690402"),
		"expires earlier":          input("1772690461", "1772690460"),
		"expires later":            input("1772690461", "1772690462"),
		"nonce":                    input("b3JJ", "c3JJ"),
		"key id":                   input("core-1", "core-2"),
		"algorithm":                input("ed25519", "rsa-v1_5-sha256"),
		"label":                    input("core=", "sig1="),
		"component gone":           input(` "content-digest"`, ``),
		"component more":           input(`"@status"`, `"@status" "date"`),
		"components turned":        input(`"@status" "content-digest"`, `"content-digest" "@status"`),
		"parameters turned":        input(`keyid="core-1";alg="ed25519"`, `alg="ed25519";keyid="core-1"`),
		"no algorithm":             input(`;alg="ed25519"`, ``),
		"no nonce":                 input(`;nonce="b3JJl0cXn2s1l5mP4m1yZg"`, ``),
		"no expires":               input(`;expires=1772690461`, ``),
		"no created":               input(`;created=1772690401`, ``),
		"no key id":                input(`;keyid="core-1"`, ``),
		"read too early":           func(x *outbound.Exchange) { x.At = time.Unix(1772690401-61, 0) },
		"read too late":            func(x *outbound.Exchange) { x.At = time.Unix(1772690461+1, 0) },
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			x := vectorExchange()
			tamper(&x)
			if err := testVerifier(t).answer(x, vectorNonce); err == nil {
				t.Error("believed")
			}
		})
	}
	t.Run("nonce of another request", func(t *testing.T) {
		if err := testVerifier(t).answer(vectorExchange(), "another"); err == nil {
			t.Error("believed")
		}
	})
}

func TestWindowOfTheClock(t *testing.T) {
	const created = 1_772_690_400
	for _, test := range []struct {
		name     string
		now      int64
		lifetime int64
		ok       bool
	}{
		{"same second", created, 60, true},
		{"our clock 60 s behind", created - 60, 60, true},
		{"our clock 61 s behind", created - 61, 60, false},
		{"in the last second", created + 60, 60, true},
		{"expired", created + 61, 60, false},
		{"expired early", created + 11, 10, false},
		{"lives 61 s", created, 61, false},
		{"lives not at all", created, 0, false},
		{"expires before it is made", created, -1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := signatureInput{nonce: "n", alg: "ed25519", created: created, expires: created + test.lifetime}
			if err := in.check(time.Unix(test.now, 999_999_999)); (err == nil) != test.ok {
				t.Errorf("got %v, want ok %v", err, test.ok)
			}
		})
	}
}

// TestRFC9421Ed25519 is the example of B.2.6, whose components are others than ours.
func TestRFC9421Ed25519(t *testing.T) {
	const (
		field = `sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`
		want  = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
	)
	in, params, err := parseInput("sig-b26", field)
	if err != nil || in.created != 1618884473 || in.keyID != "test-key-ed25519" {
		t.Fatalf("%+v, %v", in, err)
	}
	base := signatureBase(in.components, []string{
		"Tue, 20 Apr 2021 02:07:55 GMT", "POST", "/foo", "example.com", "application/json", "18",
	}, params)
	key := testKey(t)
	if got := "sig-b26=:" + base64.StdEncoding.EncodeToString(ed25519.Sign(key, base)) + ":"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	signature, err := parseSignature("sig-b26", want)
	if err != nil || !ed25519.Verify(key.Public().(ed25519.PublicKey), base, signature) {
		t.Errorf("the example doesn't verify: %v", err)
	}
}

func TestInputsOfAnotherForm(t *testing.T) {
	for _, field := range []string{
		"", "core", "core=", "core=(", "core=()", `core=("@status"`, `core=( "@status")`, `core=("@status" )`,
		`core=("@status"  "content-digest")`, `core=("@status""content-digest")`, `core=("@status";req)`,
		`core=(@status)`, `core=("")`, `core=("@status"), x=1`, `core=("@status") ;created=1`,
		`core=("@status"); created=1`, `core=("@status");created`, `core=("@status");created=`,
		`core=("@status");created=01`, `core=("@status");created=-1`, `core=("@status");created=+1`,
		`core=("@status");created=1.0`, `core=("@status");created="1"`, `core=("@status");created=1;created=1`,
		`core=("@status");created=1234567890123456`, `core=("@status");nonce=abc`, `core=("@status");nonce="a\"b"`,
		`core=("@status");nonce="a b"`, `core=("@status");nonce="a`, `core=("@status");nonce=""`,
		`core=("@status");tag="x"`, `core=("@status");`, `core=("@status");;created=1`, `Core=("@status");created=1`,
		`core=("@status");nonce="` + strings.Repeat("n", 129) + `"`,
		`core=("@status");nonce="é"`, "core=(\"@status\");created=1\n", strings.Repeat(`core=("@status")`, 100),
	} {
		if in, _, err := parseInput("core", field); err == nil {
			t.Errorf("%q was read as %+v", field, in)
		}
	}
}

func FuzzSignatureInput(f *testing.F) {
	f.Add(vectorInput)
	f.Add(vectorAnswerInput)
	f.Add(`core=();alg="ed25519"`)
	f.Add(`core=("a;b" "c");created=1`)
	f.Fuzz(func(t *testing.T, field string) {
		in, params, err := parseInput("core", field)
		if err != nil {
			return
		}
		if "core="+params != field {
			t.Fatalf("%q: parameters %q", field, params)
		}
		// What was read, written anew, is read as the same again: nothing was dropped.
		again, _, err := parseInput("core", "core="+in.String())
		complete := in.nonce != "" && in.keyID != "" && in.alg != ""
		if complete && (err != nil || again.String() != in.String()) {
			t.Fatalf("%q: %q, %v", field, in.String(), err)
		}
	})
}

// FuzzVerify shows that no other fields than the worked ones make the worked answer believed.
func FuzzVerify(f *testing.F) {
	f.Add(vectorAnswerInput, vectorAnswerSignature, vectorAnswerDigest, 201, vectorAnswer)
	f.Add(vectorInput, vectorSignature, vectorDigest, 201, vectorBody)
	f.Fuzz(func(t *testing.T, input, signature, contentDigest string, status int, body string) {
		altered := vectorExchange()
		altered.Header = http.Header{
			"Signature-Input": {input}, "Signature": {signature}, "Content-Digest": {contentDigest},
		}
		altered.Status, altered.Body = status, []byte(body)
		if testVerifier(t).answer(altered, vectorNonce) == nil && (input != vectorAnswerInput ||
			signature != vectorAnswerSignature || status != 201 || body != vectorAnswer) {
			t.Fatal("a forgery was believed")
		}
	})
}
