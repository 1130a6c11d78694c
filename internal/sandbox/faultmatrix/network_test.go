package faultmatrix_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/dispatch"
	"github.com/istirdad/istirdad/gateway/refundcore"
	"github.com/istirdad/istirdad/internal/outbound/outboundtest"
	"github.com/istirdad/istirdad/internal/sandboxfault"
)

// TestF01NoConnection: where no connection can be had, nothing was sent. The refund is queued again and again, with
// growing pauses, is never in doubt, and none of it counts as a send.
func TestF01NoConnection(t *testing.T) {
	for name, lead := range map[string]func(r *rig, c *refundcore.Config) (away dialer){
		"a closed port": func(*rig, *refundcore.Config) dialer {
			return func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", closedPort)
			}
		},
		"a core that is stopped": func(r *rig, _ *refundcore.Config) dialer {
			r.fault(sandboxfault.Fault{Kind: sandboxfault.Stop, Match: sandboxfault.Match{Call: sandboxfault.CallSubmit}})
			return r.wire.through
		},
		"a name that doesn't resolve": func(*rig, *refundcore.Config) dialer {
			return func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "core.example", IsNotFound: true}}
			}
		},
		"packets that are swallowed": func(r *rig, _ *refundcore.Config) dialer { return outboundtest.Dial(r.t, nil) },
		"no TLS": func(r *rig, c *refundcore.Config) dialer {
			plain := r.wire.through
			r.overTLS(c)
			return plain
		},
		"a certificate of somebody else's": func(r *rig, c *refundcore.Config) dialer {
			r.overTLS(c)
			return r.servingTLS(certificate(r.t, "core.example", time.Hour))
		},
		"a certificate that has expired": func(r *rig, c *refundcore.Config) dialer {
			r.overTLS(c)
			expired := certificate(r.t, "core.example", -time.Minute)
			c.TLS.RootCAs.AddCert(expired.Leaf)
			return r.servingTLS(expired)
		},
		"a certificate for another name": func(r *rig, c *refundcore.Config) dialer {
			r.overTLS(c)
			other := certificate(r.t, "portal.example", time.Hour)
			c.TLS.RootCAs.AddCert(other.Leaf)
			return r.servingTLS(other)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var home dialer
			inRow(t, 3, func(r *rig, c *refundcore.Config) {
				rarely(r, c)
				away := lead(r, c)
				home = r.wire.through
				r.wire.lead(away)
			}, func(r *rig) {
				r.wantSpread()
				const outage = 2 * time.Minute
				r.wait(outage)
				for _, of := range r.refunds {
					now := r.look(of)
					sends := map[gateway.State]int{gateway.Sending: 1}[now.State] // the try that is under way
					if now.Sends != sends || now.MayHaveLeft || now.Misses < 2 || now.State != gateway.Queued && now.State != gateway.Sending {
						r.t.Errorf("after %s it is %s, with %d sends and %d misses\n%s", outage, now.State, now.Sends, now.Misses, r.story(of))
					}
				}
				if n := len(r.core.History("")); n != 0 {
					r.t.Errorf("the core received %d calls", n)
				}
				if got := r.breaker(dispatch.CallSubmit); got == "closed" {
					r.t.Error("the breaker of the sends is closed")
				}
				r.faults.Clear()
				r.wire.lead(home)
				r.until(gateway.Credited, outage+6*time.Minute)
				for _, of := range r.refunds {
					if now := r.look(of); now.Sends != 1 || len(r.sends(of)) != 1 {
						r.t.Errorf("%d sends, of which the core received %d\n%s", now.Sends, len(r.sends(of)), r.story(of))
					}
					r.wantBackoff(of)
				}
			})
		})
	}
}

// wantSpread: those that failed together don't come back together.
func (r *rig) wantSpread() {
	r.t.Helper()
	waits := map[time.Duration]bool{}
	for _, of := range r.refunds {
		for r.look(of).Misses == 0 {
			if time.Sleep(10 * time.Millisecond); r.age() > time.Minute {
				r.t.Fatalf("no try was missed\n%s", r.story(of))
			}
		}
		now := r.look(of)
		waits[now.Due.Sub(now.UpdatedAt)] = true
	}
	if len(waits) != len(r.refunds) {
		r.t.Errorf("%d refunds wait for %v", len(r.refunds), waits)
	}
}

// wantBackoff: nothing was ever in doubt, and each pause between two tries has at least half the length that is meant.
func (r *rig) wantBackoff(of gateway.Refund) {
	r.t.Helper()
	var tried time.Time // when the last try ended
	least := []time.Duration{time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}
	misses := 0
	for _, e := range r.events(of) {
		switch {
		case e.To == gateway.InDoubt:
			r.t.Errorf("it was in doubt: %v", e.Evidence)
		case e.To == gateway.Queued && e.Evidence["cause"] == "not_sent":
			tried = e.At
			misses++
		case e.To == gateway.Sending && misses > 0 && misses <= len(least):
			if gap := e.At.Sub(tried); gap < least[misses-1] && !tried.IsZero() {
				r.t.Errorf("tried again %s after miss %d\n%s", gap, misses, r.story(of))
			}
			tried = time.Time{}
		}
	}
}

// closedPort is where nobody listens: port 1 (tcpmux) of this machine.
const closedPort = "127.0.0.1:1"

// overTLS has the gateway speak TLS to a core whose certificate it trusts.
func (r *rig) overTLS(c *refundcore.Config) {
	mine := certificate(r.t, "core.example", time.Hour*24)
	c.BaseURL, r.wire.home = "https://core.example", "core.example:443"
	c.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	c.TLS.RootCAs.AddCert(mine.Leaf)
	r.wire.lead(r.servingTLS(mine))
}

func (r *rig) servingTLS(as tls.Certificate) dialer {
	pipes := outboundtest.Listen()
	outboundtest.Serve(r.t, tls.NewListener(pipes, &tls.Config{Certificates: []tls.Certificate{as}}), r.answer)
	return pipes.Dial
}

// certificate is one that signs itself, valid for so long from now.
func certificate(t *testing.T, name string, valid time.Duration) tls.Certificate {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

// TestF02SilenceBeforeTheEffect: a send that never arrived is in doubt, is asked about, and goes again, the same bytes
// under the same reference, once the core has twice denied it well after the send.
func TestF02SilenceBeforeTheEffect(t *testing.T) {
	submit, status := sandboxfault.CallSubmit, sandboxfault.CallStatus
	for name, c := range map[string]struct {
		faults []sandboxfault.Fault
		sends  int
		path   string
		atMost time.Duration
	}{
		"one send": {
			[]sandboxfault.Fault{next(sandboxfault.HangBefore, submit, 1)}, 2,
			"queued sending in_doubt:timeout sending refunded credited", 2 * time.Minute,
		},
		"three sends": {
			[]sandboxfault.Fault{next(sandboxfault.HangBefore, submit, 3)}, 4,
			"queued sending in_doubt:timeout sending in_doubt:timeout sending in_doubt:timeout sending refunded credited", 6 * time.Minute,
		},
		"a send, and the first questions about it": {
			[]sandboxfault.Fault{next(sandboxfault.HangBefore, submit, 1), next(sandboxfault.HangBefore, status, 4)}, 2,
			"queued sending in_doubt:timeout sending refunded credited", 6 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inRow(t, 1, nil, func(r *rig) {
				r.fault(c.faults...)
				r.until(gateway.Credited, c.atMost)
				r.want(r.refunds[0], c.sends, c.path)
				sends := r.sends(r.refunds[0])
				for i, again := range sends[1:] {
					// Silent for its 10 s; two denials that count, from a minute after it and 10 s apart.
					if gap := again.At.Sub(sends[i].At); gap < 70*time.Second {
						r.t.Errorf("sent again after %s", gap)
					}
				}
			})
		})
	}
}

// TestF03SilenceAfterTheEffect: the send had its effect and was never answered. Asking finds it; it isn't sent again.
func TestF03SilenceAfterTheEffect(t *testing.T) {
	for name, c := range map[string]struct {
		silent int // of the questions
		atMost time.Duration
	}{"a send": {0, 30 * time.Second}, "a send, and the first questions about it": {4, 3 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			inRow(t, 1, nil, func(r *rig) {
				faults := []sandboxfault.Fault{next(sandboxfault.EffectThenHang, sandboxfault.CallSubmit, 1)}
				if c.silent > 0 {
					faults = append(faults, next(sandboxfault.EffectThenHang, sandboxfault.CallStatus, c.silent))
				}
				r.fault(faults...)
				if took := r.until(gateway.Credited, c.atMost); took < 10*time.Second {
					r.t.Errorf("it took %s: nobody waited for the answer", took)
				}
				r.want(r.refunds[0], 1, "queued sending in_doubt:timeout refunded credited")
			})
		})
	}
}

// TestF04LateEffect: the send takes its effect long after the gateway gave it up, and after the core has denied it. No
// denial makes a rejection of it. Up to the minute that the protocol grants it isn't sent again either; after more, its
// signature has expired, and only what was sent again has the effect.
func TestF04LateEffect(t *testing.T) {
	const found, again = "queued sending in_doubt:timeout refunded credited", "queued sending in_doubt:timeout sending refunded credited"
	for name, c := range map[string]struct {
		late   time.Duration // on the way
		sends  int
		path   string
		atMost time.Duration
	}{
		"half a minute on the way":    {30 * time.Second, 1, found, 2 * time.Minute},
		"almost a minute on the way":  {59 * time.Second, 1, found, 2 * time.Minute},
		"more than any send may take": {65 * time.Second, 1, again, 3 * time.Minute},
		"after it was sent again":     {4 * time.Minute, 1, again, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inRow(t, 1, func(r *rig, _ *refundcore.Config) { r.wire.breakNext(cut{late: c.late}) }, func(r *rig) {
				r.until(gateway.Credited, c.atMost)
				r.want(r.refunds[0], c.sends, c.path)
				denied := 0
				for _, asked := range r.core.History(r.refunds[0].Reference) {
					if asked.Call == sandboxfault.CallStatus && asked.Status == 404 {
						denied++
					}
				}
				if denied == 0 {
					r.t.Error("the core never denied the reference")
				}
				r.wait(4 * time.Minute)
				if n := r.asked(sandboxfault.CallSubmit); n != c.sends+map[bool]int{true: 1}[c.path == again] {
					r.t.Errorf("%d sends reached the core", n)
				}
			})
		})
	}
	for _, kind := range kindsOf(t, "F04") {
		t.Run(kind, func(t *testing.T) {
			const refunds = 5 // each late by another time
			inRow(t, refunds, nil, func(r *rig) {
				r.fault(next(kind, sandboxfault.CallSubmit, refunds))
				r.until(gateway.Credited, 3*time.Minute)
				for _, of := range r.refunds {
					r.want(of, 1, found)
				}
			})
		})
	}
}

// TestF09Reset: wherever the connection is reset, the send is in doubt once a byte of it may have left. What the core
// then did is found out by asking.
func TestF09Reset(t *testing.T) {
	head := func(p []byte) int { return bytes.Index(p, []byte("\r\n\r\n")) + 4 }
	for name, c := range map[string]struct {
		at     cut
		effect bool
	}{
		"before the first byte":     {cut{out: func([]byte) int { return 0 }}, false},
		"in the header":             {cut{out: func(p []byte) int { return head(p) / 2 }}, false},
		"after the header":          {cut{out: head}, false},
		"in the body":               {cut{out: func(p []byte) int { return (head(p) + len(p)) / 2 }}, false},
		"before the answer":         {cut{in: func([]byte) int { return 0 }}, true},
		"in the answer's header":    {cut{in: func(p []byte) int { return head(p) / 2 }}, true},
		"after the answer's header": {cut{in: head}, true},
		"in the answer's body":      {cut{in: func(p []byte) int { return (head(p) + len(p)) / 2 }}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inRow(t, 1, func(r *rig, _ *refundcore.Config) { r.wire.breakNext(c.at) }, func(r *rig) {
				of := r.refunds[0]
				r.wait(5 * time.Second)
				if effect, _ := r.effect(of); (effect.Released == 1) != c.effect {
					r.t.Fatalf("the core released %d", effect.Released)
				}
				r.until(gateway.Credited, 2*time.Minute)
				if c.effect {
					r.want(of, 1, "queued sending in_doubt:broken refunded credited")
				} else {
					r.want(of, 1, "queued sending in_doubt:broken sending refunded credited")
				}
				if now := r.look(of); now.Sends != map[bool]int{true: 1, false: 2}[c.effect] {
					r.t.Errorf("%d sends are on record", now.Sends)
				}
			})
		})
	}
	decideNothing(t, "F09")
}
