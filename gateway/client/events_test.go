package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/gateway/client"
)

// stream is a stream of events: what it says, with pauses, and how it ends.
func stream(parts ...any) reply {
	return reply{status: 200, header: map[string]string{"Content-Type": "text/event-stream"}, stream: parts}
}

// told is an event of the gateway's.
func told(id int, status string) string {
	return fmt.Sprintf("event: refund\nid: %d\ndata: {\"refund_id\":\"f-1\",\"status\":%q}\n\n", id, status)
}

const (
	ping = "event: ping\ndata: {}\n\n"
	soon = "retry: 2000\n\n"
)

// hang keeps a stream open, and says nothing.
var hang = 24 * time.Hour

// follow reads events until they end, as "status" each, and the error that they end with.
func follow(ctx context.Context, c *client.Client) (statuses []string, err error) {
	for now, err := range c.Events(ctx, "f-1") {
		switch {
		case err != nil:
			return statuses, err
		case now.Preview != nil:
			statuses = append(statuses, string(now.Preview.Status))
		default:
			statuses = append(statuses, string(now.Refund.Status))
		}
	}
	return statuses, nil
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name    string
		replies []reply
		want    []string
		err     error
		ids     []string // Last-Event-ID of each request
		took    time.Duration
	}{
		{"to the end", []reply{stream(soon, told(0, "preview"), ping, 15*time.Second, ping, told(1, "processing"), told(4, "completed"), hang)},
			[]string{"preview", "processing", "completed"}, nil, []string{""}, 15 * time.Second},
		{"the stream's time is up", []reply{stream(soon, told(1, "processing")), stream(soon, told(2, "completed"))},
			[]string{"processing", "completed"}, nil, []string{"", "1"}, 2 * time.Second},
		{"it breaks off in an event", []reply{stream(soon, told(1, "processing"), told(2, "completed")[:40], errBroken), stream(told(2, "completed"))},
			[]string{"processing", "completed"}, nil, []string{"", "1"}, 2 * time.Second},
		{"a gateway restarts", []reply{stream(told(1, "processing"), errBroken), broken, {status: 502}, tryAgain, stream(told(2, "rejected"))},
			[]string{"processing", "rejected"}, nil, []string{"", "1", "1", "1", "1"}, 12 * time.Second},
		{"it falls silent", []reply{stream(told(1, "processing"), ping, hang), stream(told(2, "visit_branch"))},
			[]string{"processing", "visit_branch"}, nil, []string{"", "1"}, 48 * time.Second},
		{"it doesn't begin", []reply{{status: 200, late: hang}, stream(told(2, "cancelled"))},
			[]string{"cancelled"}, nil, []string{"", ""}, 33 * time.Second},
		{"another spelling", []reply{stream(": hello\r\nid:7\r\nevent:refund\r\ndata:{\"status\":\r\ndata:\"completed\"}\r\nnew: x\r\n\r\n")},
			[]string{"completed"}, nil, []string{""}, 0},
		{"none", []reply{problem(404, "not_found")}, nil, client.ErrNotFound, []string{""}, 0},
		{"too many streams", []reply{problem(429, "rate_limited", `,"retry_after":5`)}, nil, client.ErrRateLimited, []string{""}, 0},
		{"the session ended", []reply{stream(soon, told(1, "processing")), problem(401, "unauthenticated")},
			[]string{"processing"}, client.ErrUnauthenticated, []string{"", "1"}, 2 * time.Second},
		{"away for good", slices.Repeat([]reply{broken}, 99), nil, client.ErrNoAnswer, nil, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{replies: tt.replies}
				began := time.Now()
				got, err := follow(t.Context(), g.client(t))
				took := time.Since(began)
				if !slices.Equal(got, tt.want) || !errors.Is(err, tt.err) {
					t.Errorf("told %v and %v", got, err)
				}
				if took < tt.took || took > tt.took+6*time.Second {
					t.Errorf("it took %v, want %v and little more", took, tt.took)
				}
				var ids []string
				for _, a := range g.asked {
					if a.call != "GET /refunds/v1/refunds/f-1/events" || a.header.Get("Accept") != "text/event-stream" {
						t.Errorf("asked %+v", a)
					}
					ids = append(ids, a.header.Get("Last-Event-ID"))
				}
				if tt.ids != nil && !slices.Equal(ids, tt.ids) {
					t.Errorf("Last-Event-ID was %q, want %q", ids, tt.ids)
				}
			})
		})
	}
}

// TestEventsEnd: whoever leaves the loop, or whose context ends, leaves nothing open.
func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gateway{replies: []reply{stream(told(1, "processing"), hang)}}
		for _, err := range g.client(t).Events(t.Context(), "f-1") {
			if err != nil {
				t.Fatal(err)
			}
			break
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g = &gateway{replies: []reply{stream(told(1, "processing"), hang)}}
		if got, err := follow(ctx, g.client(t)); len(got) != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("told %v and %v", got, err)
		}

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g = &gateway{replies: []reply{broken}}
		if _, err := follow(ctx, g.client(t)); !errors.Is(err, context.DeadlineExceeded) || len(g.asked) != 1 {
			t.Errorf("in the pause: %v after %d requests", err, len(g.asked))
		}
	}) // which waits for every goroutine of the bubble
}

// TestWrongEvents: what isn't the contract's is an error.
func TestWrongEvents(t *testing.T) {
	for _, r := range []reply{
		stream("event: refund\nid: 1\ndata: <html>\n\n"),
		stream("event: refund\nid: 1\ndata: " + strings.Repeat("x", 2<<20) + "\n\n"),
		{status: 200, body: `{"status":"completed"}`},
		{status: 204},
	} {
		g := &gateway{replies: []reply{r}}
		if got, err := follow(t.Context(), g.client(t)); err == nil || errors.Is(err, client.ErrNoAnswer) || len(g.asked) != 1 {
			t.Errorf("told %v and %v", got, err)
		}
	}
}

// play writes a stream's parts: text, pauses, and an error that breaks it off. The reader's end ends it.
func play(ctx context.Context, w *io.PipeWriter, parts []any) {
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			if _, err := io.WriteString(w, part); err != nil {
				return
			}
		case time.Duration:
			select {
			case <-time.After(part):
			case <-ctx.Done():
				_ = w.CloseWithError(ctx.Err())
				return
			}
		case error:
			_ = w.CloseWithError(part)
			return
		}
	}
	_ = w.Close()
}
