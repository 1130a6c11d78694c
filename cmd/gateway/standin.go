package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/outbound"
	"github.com/istirdad/istirdad/internal/program"
)

// askTime bounds the one question to all neighbours together: it holds up every start.
const askTime = 3 * time.Second

// errStandIn: a neighbour is a stand-in where none may be.
var errStandIn = errors.New("it is a stand-in (Refund-Core: sandbox), and the environment is production")

// neighbour is somebody who may be a stand-in, and where to ask.
type neighbour struct {
	key     string
	refused bool // if it is one
	base    string
	path    string
	tls     *tls.Config
}

// refuseStandIns asks core, bank, issuer and SMS provider once what they are, if stand-ins are to be refused. The clients
// refuse each answer of one, so this is not what protects the money; it is what tells whoever has mixed up two addresses,
// at once instead of by the first refund in doubt. A neighbour that is away is no reason not to start: refunds are taken
// all the same, and wait.
func refuseStandIns(ctx context.Context, p program.Config) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	neighbours := []neighbour{
		{"core.url", p.Core.RefuseSandbox, p.Core.BaseURL, "/core/v1/refunds", p.Core.TLS},
		{"bank.url", p.CoreBanking.RefuseSandbox, p.CoreBanking.URL, "/bank/v1/", p.CoreBanking.TLS},
		{"bank.issuer", p.Identity.RefuseSandbox, p.Identity.Issuer, "/.well-known/openid-configuration", p.Identity.TLS},
		{"sms.url", p.SMS.RefuseSandbox, p.SMS.URL, "", p.SMS.TLS},
	}
	answers := make(chan error, len(neighbours))
	for _, n := range neighbours {
		go func() { answers <- n.ask(ctx) }()
	}
	var all error
	for range neighbours {
		all = errors.Join(all, <-answers)
	}
	return all
}

// ask makes one unsigned GET, whose answer is nothing but its header.
func (n neighbour) ask(ctx context.Context) error {
	if !n.refused {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(n.base, "/")+n.path, nil)
	if err != nil {
		return fmt.Errorf("%s: not an address", n.key)
	}
	client := outbound.New(outbound.Config{TLS: n.tls})
	defer client.Close()
	if x := client.Do(ctx, req, nil); outbound.FromSandbox(x.Header) {
		return fmt.Errorf("%s: %w", n.key, errStandIn)
	}
	return nil
}
