package sandboxportal

import (
	"crypto/rand"
	"crypto/subtle"
	"math/big"
	"time"
)

const (
	captchaLife   = 2 * time.Minute
	captchaDigits = 5
)

// A captcha is a picture code: digits that are seen or heard. They are 1 to 9:
// nought is written in two ways in Arabic, and looks like a letter in English.
type captcha struct {
	id      string
	session *session
	code    string
	picture []byte   // PNG
	noise   [32]byte // of the sound, so that it sounds the same each time
	expires time.Time
}

// newCaptcha makes a picture code for the session.
func (p *Portal) newCaptcha(s *session) *captcha {
	c := &captcha{id: rand.Text(), session: s, expires: time.Now().Add(captchaLife)}
	for range captchaDigits {
		n, _ := rand.Int(rand.Reader, big.NewInt(9)) // crypto/rand's reader never fails
		c.code += string('1' + rune(n.Int64()))
	}
	var noise [32]byte
	_, _ = rand.Read(noise[:])
	_, _ = rand.Read(c.noise[:]) // another: many sounds of one picture tell nothing new
	c.picture = drawCode(c.code, noise)
	p.sessions.put(s, c)
	return c
}

func (c *captcha) alive(now time.Time) bool { return now.Before(c.expires) }

func (c *captcha) is(code string, now time.Time) bool {
	return c.alive(now) && subtle.ConstantTimeCompare([]byte(code), []byte(c.code)) == 1
}
