package sandboxcore

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// An answer is what a call came to, before any fault touches it.
type answer struct {
	status      int
	contentType string
	body        []byte
	blanks      int  // that follow the body
	effect      bool // the book changed
	tells       bool // that there is a refund under the reference
}

func jsonAnswer(status int, body any) answer {
	text, err := json.Marshal(body)
	if err != nil {
		panic("sandboxcore: " + err.Error()) // our own types
	}
	return answer{status: status, contentType: "application/json", body: text}
}

// problem is RFC 9457. The protocol gives it no meaning: to the client it is
// "unknown", like everything that is not documented.
func problem(status int, code, detail string) answer {
	a := jsonAnswer(status, map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "code": code, "detail": detail,
	})
	a.contentType = "application/problem+json"
	return a
}

// send signs the answer and sends it, or as much of it as the fault lets through.
func (c *Core) send(w http.ResponseWriter, v *visit, a answer) {
	m := v.mischief
	a.body = m.distort(a)
	switch {
	case m.is(sandboxfault.HugeAnswer):
		a.blanks = hugeAnswer
	case m.is(sandboxfault.Trickle):
		a.body = slices.Concat(bytes.Repeat([]byte(" "), trickleBlanks), a.body)
	case m.is(sandboxfault.GzipBomb):
		a.body = bomb(a.body)
		w.Header().Set("Content-Encoding", "gzip")
	}
	if m.is(sandboxfault.Late) && !v.sleep(m.dice.latency()) {
		v.abort()
	}
	h := w.Header()
	h.Set("Content-Digest", a.digest())
	sign(message{status: a.status, header: h}, answerComponents, m.stamp(time.Now(), v.nonce, c.cfg.KeyID), c.cfg.Key)
	if m.is(sandboxfault.BadSignature) {
		spoil(h, m.dice)
	}
	v.note(a)
	writeHead(w, a)
	switch {
	case m.is(sandboxfault.ResetMidAnswer):
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		v.reset(w)
	case m.is(sandboxfault.SlowBody):
		const pieces = 10
		v.drip(w, a, len(a.body)/pieces+1, m.dice.between(0, slowBodyMax/pieces))
	case m.is(sandboxfault.Trickle):
		v.drip(w, a, 1, tricklePause)
	default:
		_, _ = io.Copy(w, a.reader())
	}
}

// stamp is that of the answer's signature, as the fault will have it.
func (m mischief) stamp(now time.Time, nonce, keyID string) stamp {
	switch {
	case m.is(sandboxfault.ExpiredSignature): // though made a moment ago
		s := newStamp(now.Add(-50*time.Second), nonce, keyID)
		s.expires = s.created + 30
		return s
	case m.is(sandboxfault.WrongKeyID):
		keyID = "core-0"
	case m.is(sandboxfault.ClockAhead):
		now = now.Add(clockOff)
	case m.is(sandboxfault.ClockBehind):
		now = now.Add(-clockOff)
	}
	return newStamp(now, nonce, keyID)
}

// sendUnsigned is for those whom the core does not know, and for answers that a
// box in front of it would give.
func sendUnsigned(w http.ResponseWriter, v *visit, a answer) {
	v.note(a)
	writeHead(w, a)
	_, _ = w.Write(a.body)
}

// digest is that of the whole body.
func (a answer) digest() string {
	sum := sha256.New()
	_, _ = io.Copy(sum, a.reader()) // neither fails
	return digestField(sum.Sum(nil))
}

// reader is the whole body.
func (a answer) reader() io.Reader {
	return io.MultiReader(bytes.NewReader(a.body), io.LimitReader(blanks{}, int64(a.blanks)))
}

// blanks is white space without end. After a JSON value it means nothing.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// bomb packs a body with more white space than anybody's memory is for. Members
// of a gzip file may follow each other, so that one of the blanks is enough.
func bomb(body []byte) []byte {
	return slices.Concat(packed(bytes.NewReader(body)), bytes.Repeat(packedBlanks(), bombMembers))
}

var packedBlanks = sync.OnceValue(func() []byte { return packed(io.LimitReader(blanks{}, bombMember)) })

func packed(r io.Reader) []byte {
	var text bytes.Buffer
	w := gzip.NewWriter(&text)
	if _, err := io.Copy(w, r); err != nil {
		panic("sandboxcore: " + err.Error()) // out of memory, into memory
	}
	_ = w.Close()
	return text.Bytes()
}

func writeHead(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)+a.blanks))
	w.WriteHeader(a.status)
}

// drip sends the body in pieces with pauses after them.
func (v *visit) drip(w http.ResponseWriter, a answer, size int, pause time.Duration) {
	for piece := range slices.Chunk(a.body, size) {
		if _, err := w.Write(piece); err != nil {
			v.abort()
		}
		_ = http.NewResponseController(w).Flush()
		if !v.sleep(pause) {
			v.abort()
		}
	}
}

// spoil takes the signature away, or makes it one of something else.
func spoil(h http.Header, d *dice) {
	if d.below(2) == 0 {
		h.Del("Signature")
		h.Del("Signature-Input")
		return
	}
	forged := make([]byte, ed25519.SignatureSize)
	for i := range forged {
		forged[i] = byte(d.below(256))
	}
	h.Set("Signature", signatureLabel+"="+byteSequence(forged))
}

// distort is the body as the fault will have it. It is signed afterwards: to the
// signature such a body is as good as any.
func (m mischief) distort(a answer) []byte {
	switch {
	case m.is(sandboxfault.Malformed):
		return a.body[:len(a.body)*2/3]
	case a.contentType != "application/json" ||
		!slices.ContainsFunc([]string{
			sandboxfault.ShuffledFields, sandboxfault.UnknownFields, sandboxfault.UnknownState, sandboxfault.WrongEcho,
		}, m.is):
		return a.body
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		panic("sandboxcore: " + err.Error()) // our own body
	}
	if object, ok := value.(map[string]any); ok {
		switch {
		case m.is(sandboxfault.UnknownState) && object["state"] != nil:
			object["state"] = "under_review"
		case m.is(sandboxfault.WrongEcho):
			echoWrongly(object, m.dice)
		}
	}
	if m.is(sandboxfault.UnknownFields) {
		addFields(value, m.dice)
	}
	var text bytes.Buffer
	writeShuffled(&text, value, m.dice)
	return text.Bytes()
}

// echoWrongly has the answer name something else in one of the fields that tell
// what it is about. Who was faster (already_refunded) is no echo.
func echoWrongly(object map[string]any, d *dice) {
	var fields []string
	for _, field := range []string{"reference", "request_id", "amount", "iban"} {
		if object[field] != nil && (field != "reference" || object["channel"] != channelBank) {
			fields = append(fields, field)
		}
	}
	if len(fields) == 0 {
		return
	}
	switch field := fields[d.below(len(fields))]; field {
	case "reference":
		object[field] = d.reference()
	case "request_id":
		object[field] = fmt.Sprint(object[field], "0")
	case "amount":
		amount, err := object[field].(json.Number).Int64()
		if err != nil {
			panic("sandboxcore: " + err.Error()) // our own body
		}
		object[field] = d.otherAmount(amount)
	case "iban":
		object[field] = "SA0380000000608010167519" // a good one, of nobody
	}
}

// addFields gives every object a field of a later version of the protocol.
func addFields(value any, d *dice) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			addFields(v[key], d)
		}
		news := []any{nil, true, "soon", json.Number("1.5"), []any{}, map[string]any{"state": "refunded", "final": true}}
		v["x_"+strconv.Itoa(d.below(1000))] = news[d.below(len(news))]
	case []any:
		for _, item := range v {
			addFields(item, d)
		}
	}
}

// writeShuffled writes the fields of each object in an order of its own.
func writeShuffled(text *bytes.Buffer, value any, d *dice) {
	switch v := value.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		for i := len(keys) - 1; i > 0; i-- {
			j := d.below(i + 1)
			keys[i], keys[j] = keys[j], keys[i]
		}
		text.WriteByte('{')
		for i, key := range keys {
			if i > 0 {
				text.WriteString(", ")
			}
			writeShuffled(text, key, d)
			text.WriteByte(':')
			writeShuffled(text, v[key], d)
		}
		text.WriteByte('}')
	case []any:
		text.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				text.WriteByte(',')
			}
			writeShuffled(text, item, d)
		}
		text.WriteByte(']')
	default:
		plain, err := json.Marshal(v)
		if err != nil {
			panic("sandboxcore: " + err.Error()) // came out of a decoder
		}
		text.Write(plain)
	}
}
