package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/istirdad/istirdad/internal/outbound"
)

// canary stands in every URL, in every request and in whatever the servers of the tests say amiss.
const canary = "Canary"

func client(t *testing.T, cfg outbound.Config) *outbound.Client {
	t.Helper()
	c := outbound.New(cfg)
	t.Cleanup(c.Close)
	return c
}

// do makes one exchange with canaries in all its parts.
func do(t *testing.T, ctx context.Context, c *outbound.Client, method, base string, body []byte) outbound.Exchange { //nolint:revive // t goes first
	t.Helper()
	req, err := http.NewRequest(method, base+"/"+canary+"?key="+canary, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", canary)
	x := c.Do(ctx, req, body)
	checkSilent(t, base, x.Err)
	if x.At.IsZero() {
		t.Error("nobody knows when it ended")
	}
	return x
}

// checkSilent looks into an error, and into all that it wraps, for the URL, the address and what came over the wire.
func checkSilent(t *testing.T, base string, err error) {
	t.Helper()
	_, host, _ := strings.Cut(base, "://")
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			if strings.Contains(text, canary) || strings.Contains(text, host) || strings.Contains(text, "127.0.0.1") {
				t.Errorf("an error says too much: %s", text)
			}
		}
	}
}

// word is what an exchange came to.
func word(x outbound.Exchange) string {
	switch {
	case x.Err == nil && !x.Handed, x.Err != nil && x.Body != nil:
		return fmt.Sprintf("absurd: %+v", x)
	case !x.Handed:
		return "not sent"
	case x.Err != nil || x.Cause() != "":
		return x.Cause()
	default:
		return fmt.Sprint(x.Status, " ", string(x.Body))
	}
}

func serve(t *testing.T, handler http.HandlerFunc) (base string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}
