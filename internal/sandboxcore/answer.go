package sandboxcore

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// An answer is what a call came to, before any fault touches it.
type answer struct {
	status      int
	contentType string
	body        []byte
	effect      bool // the book changed
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
	if m.is(sandboxfault.Late) && !v.sleep(m.dice.between(lateAtLeast, lateMax)) {
		v.abort()
	}
	h := w.Header()
	sign(message{status: a.status, header: h}, a.body, answerComponents, newStamp(time.Now(), v.nonce, c.cfg.KeyID), c.cfg.Key)
	if m.is(sandboxfault.BadSignature) {
		spoil(h, m.dice)
	}
	v.note(a)
	writeHead(w, a)
	switch {
	case m.is(sandboxfault.ResetMidAnswer):
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		v.abort()
	case m.is(sandboxfault.SlowBody):
		v.drip(w, a.body)
	default:
		_, _ = w.Write(a.body)
	}
}

// sendUnsigned is for those whom the core does not know, and for answers that a
// box in front of it would give.
func sendUnsigned(w http.ResponseWriter, v *visit, a answer) {
	v.note(a)
	writeHead(w, a)
	_, _ = w.Write(a.body)
}

func writeHead(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
}

// drip sends body in ten pieces.
func (v *visit) drip(w http.ResponseWriter, body []byte) {
	const pieces = 10
	pause := v.mischief.dice.between(0, slowBodyMax/pieces)
	for piece := range slices.Chunk(body, len(body)/pieces+1) {
		if _, err := w.Write(piece); err != nil || !v.sleep(pause) {
			v.abort()
		}
		_ = http.NewResponseController(w).Flush()
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
		!m.is(sandboxfault.ShuffledFields) && !m.is(sandboxfault.UnknownFields) && !m.is(sandboxfault.UnknownState):
		return a.body
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		panic("sandboxcore: " + err.Error()) // our own body
	}
	if object, ok := value.(map[string]any); ok && m.is(sandboxfault.UnknownState) && object["state"] != nil {
		object["state"] = "under_review"
	}
	if m.is(sandboxfault.UnknownFields) {
		addFields(value, m.dice)
	}
	var text bytes.Buffer
	writeShuffled(&text, value, m.dice)
	return text.Bytes()
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
