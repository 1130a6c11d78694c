package sandbox_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// An auditor has a pack, the core's public key and the standard library. What follows down to the tests knows nothing else.

// pack is the files of one.
type pack map[string][]byte

func unpacked(t *testing.T, whole []byte) pack {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	p := pack{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if p[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p pack) json(t *testing.T, name string, v any) {
	t.Helper()
	if err := json.Unmarshal(p[name], v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// sums is what sha256sum -c does.
func (p pack) sums() error {
	listed := map[string]bool{"SHA256SUMS": true}
	for line := range strings.Lines(string(p["SHA256SUMS"])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if is := sha256.Sum256(p[name]); sum != hex.EncodeToString(is[:]) {
			return fmt.Errorf("%s isn't what it was", name)
		}
		listed[name] = true
	}
	if len(listed) != len(p) {
		return fmt.Errorf("%d of %d files are listed", len(listed), len(p))
	}
	return nil
}

// spoken is a signed message as exchanges.json tells it.
type spoken struct {
	ContentDigest string `json:"content_digest"`
	KeyID         string `json:"keyid"`
	KeyFile       string `json:"key_file"`
	BaseFile      string `json:"base_file"`
	SignatureFile string `json:"signature_file"`
	BodyFile      string `json:"body_file"`
	Status        int
	Path          string
}

type exchanged struct {
	Version  int64
	Call     string
	Asked    spoken
	Answered *spoken
}

func (p pack) exchanges(t *testing.T) (all []exchanged) {
	t.Helper()
	p.json(t, "exchanges.json", &all)
	return all
}

// verify says why a message wasn't signed by the key; numbers are what was masked, by its mask.
func (p pack) verify(s spoken, key ed25519.PublicKey, numbers map[string]string) error {
	block, _ := pem.Decode(p[s.KeyFile])
	if block == nil {
		return fmt.Errorf("%s is no key", s.KeyFile)
	}
	told, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil || !key.Equal(told) {
		return fmt.Errorf("%s isn't the key of %s (%w)", s.KeyFile, s.KeyID, err)
	}
	base := p[s.BaseFile]
	if !ed25519.Verify(key, base, p[s.SignatureFile]) {
		return fmt.Errorf("the signature of %s doesn't hold", s.BaseFile)
	}
	body := string(p[s.BodyFile])
	for mask, number := range numbers {
		body = strings.ReplaceAll(body, mask, number)
	}
	sum := sha256.Sum256([]byte(body))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	if digest != s.ContentDigest || !strings.Contains(string(base), `"content-digest": `+digest+"\n") ||
		!strings.Contains(string(base), `;keyid="`+s.KeyID+`"`) {
		return fmt.Errorf("%s isn't the body that was signed: %s", s.BodyFile, body)
	}
	return nil
}

// The test key of RFC 9421, B.1.4, is everybody's in the sandbox.
var sandboxKey = func() ed25519.PublicKey {
	key, err := base64.StdEncoding.DecodeString("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
	if err != nil {
		panic(err)
	}
	return key
}()

// take takes the pack of a refund, as curl does.
func take(t *testing.T, w *banktest.World, id string) (pack, string) {
	t.Helper()
	r := w.Ops("/ops/api/refunds/" + id + "/evidence").Want(http.StatusOK)
	sum := sha256.Sum256(r.Body)
	if got, want := r.Header.Get("Content-Digest"), "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":"; got != want {
		t.Errorf("Content-Digest is %s, want %s", got, want)
	}
	if r.Header.Get("Content-Type") != "application/zip" || !regexp.MustCompile(`^attachment; filename="RF[0-9A-Z]{16}\.zip"$`).MatchString(r.Header.Get("Content-Disposition")) {
		t.Errorf("it comes as %v", r.Header)
	}
	p := unpacked(t, r.Body)
	if err := p.sums(); err != nil {
		t.Error(err)
	}
	return p, hex.EncodeToString(sum[:])
}

// texted is an SMS as messages.json tells it.
type texted struct {
	MessageID string `json:"message_id"`
	About     string
	Purpose   string
	SentTo    string `json:"sent_to"`
	Text      string
	Route     string
	Outcome   string
}

// TestEvidence: p06 asks for 2,000.00 back with a code of its own; the first answer of the core can't be believed, and
// nothing is lost by it. An auditor checks the pack of it alone.
func TestEvidence(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := w.Customer("p06")
	c.Challenge(object{"purpose": "profile"}) // never answered, so nothing rests on it
	proof := c.Challenge(object{"purpose": "profile"})
	c.Do(http.MethodPost, "/v1/otp/challenges/"+proof+"/verify", object{"code": c.Code()}).Want(http.StatusOK)
	id := c.Preview("rq-p05-1").RefundID
	w.Fault(banktest.BadSignature, banktest.OnSubmit, banktest.Count(1))
	c.Confirm(id).Want(http.StatusAccepted)
	refund := c.Await(id, "credited")

	var p pack
	var messages []texted
	var digests []string
	for end := time.Now().Add(time.Minute); len(messages) < 3; time.Sleep(50 * time.Millisecond) { // the last is put on record when it is out
		if time.Now().After(end) {
			t.Fatalf("on record are %+v", messages)
		}
		var digest string
		p, digest = take(t, w, id)
		p.json(t, "messages.json", &messages)
		digests = append(digests, digest)
	}

	// What the core and we signed: a send whose answer nobody can believe, and then the answers that moved the refund.
	numbers := map[string]string{"SA28 80** **** **** **** 0006": "SA2880000555608000000006", "2******049": "2900000049"}
	said := p.exchanges(t)
	var story []string
	for _, x := range said {
		if err := p.verify(x.Asked, sandboxKey, numbers); err != nil {
			t.Errorf("version %d, asked: %v", x.Version, err)
		}
		if x.Asked.KeyID != "bank-80" {
			t.Errorf("asked by %s", x.Asked.KeyID)
		}
		step := x.Call
		if x.Answered != nil {
			if err := p.verify(*x.Answered, sandboxKey, numbers); err != nil {
				t.Errorf("version %d, answered: %v", x.Version, err)
			}
			if nonce := regexp.MustCompile(`;nonce="[^"]+"`); x.Answered.KeyID != "core-1" ||
				nonce.FindString(string(p[x.Answered.BaseFile])) != nonce.FindString(string(p[x.Asked.BaseFile])) {
				t.Errorf("version %d is answered by %s: %s", x.Version, x.Answered.KeyID, p[x.Answered.BaseFile])
			}
			step += " " + fmt.Sprint(x.Answered.Status)
		}
		story = append(story, step)
	}
	if len(story) < 2 || story[0] != "submit" || story[len(story)-1] != "status 200" {
		t.Errorf("the exchanges are %q", story)
	}
	// Each stands beside its event.
	var events []struct {
		Version  int64
		To       string
		Actor    struct{ Role, ID string }
		Evidence map[string]string
	}
	p.json(t, "events.json", &events)
	moved := map[int64]string{}
	for _, e := range events {
		moved[e.Version] = e.To
	}
	for i, x := range said {
		if to := moved[x.Version]; i == 0 && to != "in_doubt" || i == len(said)-1 && to != "refunded" || to == "" {
			t.Errorf("%s moved it to %q", x.Call, to)
		}
	}
	if len(events) != len(refund.Timeline) || events[0].Actor.Role != "customer" || events[0].Actor.ID != "p06" || events[0].Evidence["proof"] != proof {
		t.Errorf("the events are %+v", events)
	}

	// What was texted, without the codes that were: the one that let them in, and the refund's own.
	in, code, done := messages[0], messages[1], messages[2]
	if len(messages) != 3 || in.About != proof || in.Purpose != "code_for_profile" || in.Outcome != "taken" || in.SentTo != "+9665*****006" ||
		!strings.Contains(in.Text, "●●●●●●") || regexp.MustCompile(`\d{6}`).MatchString(in.Text) {
		t.Errorf("the messages are %+v", messages)
	}
	if code.Purpose != "code_for_refund" || code.Outcome != "taken" || code.Route != "http" || code.SentTo != "+9665*****006" ||
		!strings.Contains(code.Text, "●●●●●●") || !strings.Contains(code.Text, "2000.00") || regexp.MustCompile(`\d{6}`).MatchString(code.Text) {
		t.Errorf("the code's message is %+v", code)
	}
	arrived := w.Phone("p06").Messages(t)
	if done.Purpose != "refund_completed" || done.About != refund.Reference ||
		!slices.ContainsFunc(arrived, func(sms banktest.SMS) bool { return sms.Text == done.Text }) {
		t.Errorf("the notice is %+v", done)
	}

	// What people read.
	page := string(p["index.html"])
	for _, words := range []string{
		refund.Reference, "2000.00", "SA28 80** **** **** **** 0006", "2******049", "أُودع المبلغ في حسابك", "Credited to your account",
		"●●●●●●", proof, "core-1", said[0].Asked.ContentDigest[:20], "README.txt",
	} {
		if !strings.Contains(page, words) {
			t.Errorf("the page doesn't say %q", words)
		}
	}

	// And who took it: every time, with what they took.
	last, _ := take(t, w, id)
	var taken []struct {
		By     struct{ Role, ID, Employee string }
		SHA256 string `json:"sha256"`
	}
	last.json(t, "taken.json", &taken)
	if len(taken) != len(digests) {
		t.Errorf("%d takings are on record, want %d", len(taken), len(digests))
	}
	for i, k := range taken {
		if k.SHA256 != digests[i] || k.By.Role != "operator" || k.By.ID != "o01" || k.By.Employee != "E300" {
			t.Errorf("taking %d is %+v, want %s", i, k, digests[i])
		}
	}

	// Nothing of it can be changed unseen.
	for name := range p {
		forged := pack{}
		for n, body := range p {
			forged[n] = body
		}
		forged[name] = append(slices.Clone(p[name]), '\n')
		if forged.sums() == nil && name != "SHA256SUMS" {
			t.Errorf("%s can be changed unseen", name)
		}
	}
	answered := said[len(said)-1].Answered
	for _, file := range []string{answered.BaseFile, answered.SignatureFile, answered.BodyFile} {
		whole := p[file]
		p[file] = slices.Clone(whole)
		p[file][len(whole)/2] ^= 1
		if p.verify(*answered, sandboxKey, numbers) == nil {
			t.Errorf("%s can be changed unseen", file)
		}
		p[file] = whole
	}
	w.Exact()
}

// TestEvidenceOfTheCounter: who looked p12 up, how they made sure of them, and what they wrote, without the numbers in it.
func TestEvidenceOfTheCounter(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	teller := w.Teller("t01")
	var visit struct {
		ID string `json:"assisted_session_id"`
	}
	teller.Look("1900000041", map[string]string{"method": "passport", "note": "also ١٩٠٠٠٠٠٠٤١ and 05 5555 5555, on 2026-03-05"}).
		Want(http.StatusCreated).JSON(&visit)
	id := askAtTheCounter(teller, visit.ID, "rq-p12-1", "acc-p12-1", "1900000041")
	p, _ := take(t, w, id)
	var presence struct {
		LookupID string `json:"lookup_id"`
		Outcome  string
		Customer string
		Teller   struct{ ID, Employee, Branch string }
		Check    struct{ Method, Note string } `json:"identity_check"`
	}
	p.json(t, "presence.json", &presence)
	if presence.LookupID != visit.ID || presence.Customer != "p12" || presence.Outcome != "found" ||
		presence.Teller.ID != "t01" || presence.Teller.Employee != "E100" || presence.Teller.Branch != "101" {
		t.Errorf("the look-up is %+v", presence)
	}
	if presence.Check.Method != "passport" || presence.Check.Note != "also ١******٠٤١ and 0* **** *555, on 2026-03-05" {
		t.Errorf("the check is %+v", presence.Check)
	}
	if said := p.exchanges(t); len(said) != 0 {
		t.Errorf("nothing was sent, and said is %+v", said)
	}
	var messages []texted
	if p.json(t, "messages.json", &messages); len(messages) != 0 {
		t.Errorf("whoever has no mobile was texted %+v", messages)
	}
	for _, words := range []string{"E100", "passport", "awaiting_approval"} {
		if !strings.Contains(string(p["index.html"]), words) {
			t.Errorf("the page doesn't say %q", words)
		}
	}

	// Then somebody else agrees, and what they wrote and looked at is part of it.
	approver := w.Approver("a01")
	digest := approver.List()[0].Digest
	approver.Do(http.MethodPost, "/v1/approvals/"+id+"/approve", object{"note": "passport seen <b>", "digest": digest}).Want(http.StatusOK)
	w.Customer("p12").Await(id, "credited")
	p, _ = take(t, w, id)
	var events []struct {
		From, To string
		Actor    struct{ Role, ID, Employee, Branch string }
		Evidence map[string]string
	}
	p.json(t, "events.json", &events)
	if e := events[1]; e.From != "awaiting_approval" || e.To != "queued" || e.Actor.Role != "approver" || e.Actor.ID != "a01" ||
		e.Actor.Employee != "E200" || e.Evidence["note"] != "passport seen <b>" || e.Evidence["digest"] != digest {
		t.Errorf("the approval is %+v", e)
	}
	for _, words := range []string{"E200", "passport seen &lt;b&gt;", digest} {
		if !strings.Contains(string(p["index.html"]), words) {
			t.Errorf("the page doesn't say %q", words)
		}
	}
	w.Ops("/ops/api/refunds/019cbcb4-2a40-7f0e-8a0b-77c46a619221/evidence").Want(http.StatusNotFound)
	w.Exact()
}

// TestEvidenceOfTheKeypad: p01 typed the code that the teller's visit began with, which is all that the confirm rests on.
func TestEvidenceOfTheKeypad(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	visit := w.Teller("t01").Serve("p01")
	id := visit.Preview("rq-p01-1").RefundID
	visit.Confirm(id).Want(http.StatusAccepted)
	visit.Await(id, "credited")
	p, _ := take(t, w, id)
	var messages []texted
	p.json(t, "messages.json", &messages)
	if proof := visit.Sent.ChallengeID; len(messages) == 0 || messages[0].About != proof || messages[0].Purpose != "code_for_counter" ||
		messages[0].SentTo != "+9665*****001" || !strings.Contains(messages[0].Text, "●●●●●●") ||
		regexp.MustCompile(`\d{6}`).MatchString(messages[0].Text) || !strings.Contains(string(p["index.html"]), proof) {
		t.Errorf("the code's message is not the first of %+v", messages)
	}
	w.Exact()
}

// askAtTheCounter has a teller ask for a refund in an assisted session, and returns its id.
func askAtTheCounter(teller *banktest.Teller, visit, request, account, idNumber string) string {
	var preview struct {
		RefundID string `json:"refund_id"`
	}
	body := object{"request_id": request, "account_number": account, "id_number": idNumber}
	teller.Do(http.MethodPost, "/v1/refunds", body, "Idempotency-Key", visit, "Assisted-Session", visit).Want(http.StatusCreated).JSON(&preview)
	teller.Do(http.MethodPost, "/v1/refunds/"+preview.RefundID+"/confirm", nil, "Assisted-Session", visit).Want(http.StatusAccepted)
	return preview.RefundID
}

// TestOperatorsSeeRefunds: everybody's, by state and page by page, and each with its steps.
func TestOperatorsSeeRefunds(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := w.Customer("p01")
	c.Prove()
	id := c.Preview("rq-p01-1").RefundID
	c.Confirm(id).Want(http.StatusAccepted)
	c.Await(id, "credited")
	v := w.Teller("t01").Check("p12")
	waiting := v.Preview("rq-p12-1").RefundID
	v.Confirm(waiting).Want(http.StatusAccepted)

	type listed struct {
		Items []struct {
			RefundID  string `json:"refund_id"`
			State     string
			ToAccount string `json:"to_account"`
			Overdue   *string
		}
		Next *string `json:"next_cursor"`
	}
	var all, next, one listed
	w.Ops("/ops/api/refunds?limit=1").Want(http.StatusOK).JSON(&all)
	if len(all.Items) != 1 || all.Items[0].RefundID != waiting || all.Next == nil {
		t.Fatalf("the first page is %+v", all)
	}
	w.Ops("/ops/api/refunds?limit=1&cursor=" + *all.Next).Want(http.StatusOK).JSON(&next)
	if len(next.Items) != 1 || next.Items[0].RefundID != id || next.Next != nil || next.Items[0].ToAccount != "SA66 80** **** **** **** 0001" {
		t.Errorf("the second page is %+v", next)
	}
	w.Ops("/ops/api/refunds?state=credited").Want(http.StatusOK).JSON(&one)
	if len(one.Items) != 1 || one.Items[0].RefundID != id || one.Items[0].Overdue != nil {
		t.Errorf("credited are %+v", one)
	}
	var whole struct {
		State  string
		Events []struct{ To string }
	}
	w.Ops("/ops/api/refunds/" + id).Want(http.StatusOK).JSON(&whole)
	if n := len(whole.Events); whole.State != "credited" || n < 4 || whole.Events[0].To != "queued" || whole.Events[n-1].To != "credited" {
		t.Errorf("it is %+v", whole)
	}
	w.Ops("/ops/api/refunds/nobody's").Want(http.StatusNotFound)
	w.Ops("/ops/api/refunds?state=lost").Want(http.StatusBadRequest)
	w.Ops("/ops/api/refunds?cursor=" + *all.Next + "&state=credited").Want(http.StatusBadRequest)
	w.Exact()
}
