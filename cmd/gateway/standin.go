package main

import (
	"context"
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

// refuseStandIns asks core, bank and issuer once what they are, if stand-ins are to be refused. The clients refuse each
// answer of one, so this is not what protects the money; it is what tells whoever has mixed up two addresses, at once
// instead of by the first refund in doubt. A neighbour that is away is no reason not to start: refunds are taken all the
// same, and wait.
func refuseStandIns(ctx context.Context, p program.Config) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	questions := []func() error{
		func() error {
			if !p.Core.RefuseSandbox {
				return nil
			}
			return ask(ctx, "core.url", outbound.Config{TLS: p.Core.TLS}, p.Core.BaseURL, "/core/v1/refunds")
		},
		func() error {
			if !p.CoreBanking.RefuseSandbox {
				return nil
			}
			return ask(ctx, "bank.url", outbound.Config{TLS: p.CoreBanking.TLS}, p.CoreBanking.URL, "/bank/v1/")
		},
		func() error {
			if !p.Identity.RefuseSandbox {
				return nil
			}
			return ask(ctx, "bank.issuer", outbound.Config{TLS: p.Identity.TLS}, p.Identity.Issuer, "/.well-known/openid-configuration")
		},
	}
	answers := make(chan error, len(questions))
	for _, question := range questions {
		go func() { answers <- question() }()
	}
	var all error
	for range questions {
		all = errors.Join(all, <-answers)
	}
	return all
}

// ask makes one unsigned GET, whose answer is nothing but its header.
func ask(ctx context.Context, key string, how outbound.Config, base, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("%s: not an address", key)
	}
	client := outbound.New(how)
	defer client.Close()
	if x := client.Do(ctx, req, nil); outbound.FromSandbox(x.Header) {
		return fmt.Errorf("%s: %w", key, errStandIn)
	}
	return nil
}
