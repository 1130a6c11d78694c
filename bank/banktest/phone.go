package banktest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// SMS is a message that arrived on a phone.
type SMS struct {
	ID        int64     `json:"id"`         // the phone's own number, rising
	MessageID string    `json:"message_id"` // the sender's
	At        time.Time `json:"at"`
	To        string    `json:"to"` // E.164
	Sender    string    `json:"sender"`
	Text      string    `json:"text"`
	Encoding  string    `json:"encoding"` // GSM7 or UCS2
	Parts     int       `json:"parts"`    // what it costs on the air
}

// Phone is a person's phone, whoever has the codes sent: a [Customer] of this world, or a browser that a test drives. Its
// methods take the test that asks, and may be called from several goroutines.
type Phone struct {
	w      *World
	user   string
	number string
}

// Phone is the phone of a person.
func (w *World) Phone(user string) *Phone {
	w.t.Helper()
	p := w.person(user)
	if p.Mobile == "" {
		w.t.Fatalf("%s has no phone", user)
	}
	return &Phone{w: w, user: user, number: p.Mobile}
}

// Number is the phone's, as E.164.
func (p *Phone) Number() string { return p.number }

// Messages are those on the phone, newest first.
func (p *Phone) Messages(t testing.TB) []SMS {
	t.Helper()
	return p.w.For(t).messages(p.number)
}

var codeInSMS = regexp.MustCompile(`^[^\n]*:(\d{4,8})\n`)

// Code is the newest code on the phone that Code hasn't given before, to whomever; it waits for one to arrive. What
// arrived before a world was attached to is nobody's code.
func (p *Phone) Code(t testing.TB) string {
	t.Helper()
	code := ""
	p.await(t, "a code", func(sms SMS) bool {
		found := codeInSMS.FindStringSubmatch(sms.Text)
		if found == nil || !p.w.codes.give(p.number, sms.ID) {
			return false
		}
		code = found[1]
		return true
	})
	return code
}

// Wait is the newest message whose text contains that, and waits for it to arrive.
func (p *Phone) Wait(t testing.TB, containing string) SMS {
	t.Helper()
	return p.await(t, "the text that was waited for", func(sms SMS) bool { return strings.Contains(sms.Text, containing) })
}

const (
	smsMax   = 10 * time.Second // how long a phone is waited on
	smsEvery = 20 * time.Millisecond
)

// await returns the newest message that will do. What messages say is never printed.
func (p *Phone) await(t testing.TB, what string, willDo func(SMS) bool) SMS {
	t.Helper()
	tick := time.NewTicker(smsEvery)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		inbox := p.Messages(t)
		for _, sms := range inbox {
			if willDo(sms) {
				return sms
			}
		}
		if time.Since(began) > smsMax {
			t.Fatalf("no SMS with %s reached %s within %v; on the phone are %d others", what, p.user, smsMax, len(inbox))
		}
	}
}

// Messages are those on everybody's phones, newest first.
func (w *World) Messages() []SMS {
	w.t.Helper()
	return w.messages("")
}

func (w *World) messages(number string) []SMS {
	w.t.Helper()
	var inbox list[SMS]
	w.control(http.MethodGet, "/phone/messages?to="+url.QueryEscape(number), nil, &inbox)
	return inbox.Items
}

// codes remembers up to which message each phone's codes have been given. Messages are numbered over all phones.
type codes struct {
	mu    sync.Mutex
	since int64 // what was there before nobody asked for
	given map[string]int64
}

// give reports whether the code in that message may be given, and remembers that it was.
func (c *codes) give(number string, id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id <= max(c.since, c.given[number]) {
		return false
	}
	if c.given == nil {
		c.given = map[string]int64{}
	}
	c.given[number] = id
	return true
}
