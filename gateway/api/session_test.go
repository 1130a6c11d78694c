package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// TestEndSession: after DELETE the token opens no route, although it was believed a moment ago; the customer's other
// session has lost nothing, and sees what was confirmed in the one that ended.
func TestEndSession(t *testing.T) {
	w := apitest.Start(t)
	d := doorOf(t, w)
	c, other := w.Customer("p09"), w.Customer("p09")
	c.Prove()
	refund := c.Preview("rq-p09-1").RefundID
	c.Confirm(refund).Want(202)
	preview := c.Preview("rq-p09-3").RefundID
	other.Prove()
	mine := other.Preview("rq-p09-3").RefundID
	code := other.RefundCode(mine) // the customer's live challenge is the other session's
	end := ask{method: "DELETE", path: "/v1/session", token: c.Token}

	d.ask(end).want(204)
	d.ask(end).want(401, "unauthenticated")
	fill := map[string]string{"{preview}": preview, "{refund}": refund, "{request}": "rq-p09-3", "{account}": c.Account(), "{id}": c.IDNumber()}
	for route, ps := range policies {
		for _, p := range ps {
			if p.none == "" {
				a := p.ask(route, fill)
				a.token = c.Token
				d.ask(a).want(401, "unauthenticated")
			}
		}
	}

	d.ask(ask{method: "GET", path: "/v1/profile", token: other.Token}).want(200)
	d.ask(ask{method: "POST", path: "/v1/refunds/" + mine + "/confirm", token: other.Token, body: code}).want(202)
	other.Await(refund, "completed")
	other.Await(mine, "completed")
	again := w.Customer("p09")
	d.ask(ask{method: "GET", path: "/v1/profile", token: again.Token}).want(403, "step_up_required")
	d.ask(ask{method: "GET", path: "/v1/refunds/" + preview, token: again.Token}).want(404, "not_found")
	w.Exact()
}

// TestEndSessionIsTheCustomersOwn: nobody who speaks for a customer signs them out, nor a teller themselves this way.
func TestEndSessionIsTheCustomersOwn(t *testing.T) {
	w := apitest.Start(t)
	v, c := w.Teller("t01").Serve("p01"), w.Customer("p01")
	v.Do("DELETE", "/v1/session", nil).Want(403, "forbidden")
	c.Do("DELETE", "/v1/session", nil, "Assisted-Session", "x").Want(403, "forbidden")
	v.Do("GET", "/v1/profile", nil).Want(200)
	c.Do("GET", "/v1/refunds", nil).Want(200)
}

// record is one that says the same of every session.
type record struct {
	ended bool
	err   error
}

func (r record) Ended(context.Context, string) (bool, error) { return r.ended, r.err }

func (r record) End(context.Context, time.Time, string, time.Time) error { return r.err }

// TestEndedSessionsAreAskedAbout on every route, before anything else of the request is looked at; and when nobody can
// say, nobody is let in.
func TestEndedSessionsAreAskedAbout(t *testing.T) {
	for name, row := range map[string]struct {
		record record
		status int
		code   string
	}{
		"ended":          {record{ended: true}, 401, "unauthenticated"},
		"nobody knows":   {record{err: errors.New("connection refused")}, 503, "try_again"},
		"half an answer": {record{ended: false, err: context.DeadlineExceeded}, 503, "try_again"},
	} {
		t.Run(name, func(t *testing.T) {
			// There is no path behind this door: whoever gets past it falls.
			handler, err := api.New(api.Config{
				Identity: bank.Doorkeeper{Identity: believing{}, Endings: row.record}, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(handler)
			defer server.Close()
			for route, ps := range policies {
				for _, p := range ps {
					if p.none == "" {
						a := p.ask(route, nil)
						if a.token = "x"; a.body != nil {
							a.body = "{" // not even looked at
						}
						door{t: t, url: server.URL, client: server.Client()}.ask(a).want(row.status, row.code)
					}
				}
			}
		})
	}
}
