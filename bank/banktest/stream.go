package banktest

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Event is a refund as it was at one moment, told by a Stream.
type Event struct {
	Version int64  // its id; 0 of a preview
	Data    []byte // what GET answers
	Refund  Refund // the same
}

// Stream is what a customer is told of a refund, as it happens. It belongs to one goroutine.
type Stream struct {
	Last int64 // the version of the last event

	c     *Customer
	call  string
	lines *bufio.Scanner
	close func()
}

// streamMax is longer than a stream may last.
const streamMax = 16 * time.Minute

// Follow opens the stream of a refund or a preview. A client that comes back says which version it has seen; nothing
// else should be given.
func (c *Customer) Follow(id string, seen ...int64) *Stream {
	c.w.t.Helper()
	ctx, cancel := context.WithTimeout(c.w.t.Context(), streamMax)
	gateway := c.via
	if gateway == "" {
		gateway = c.w.gateway()
	}
	s := &Stream{Last: -1, c: c, call: "GET /v1/refunds/" + id + "/events"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+strings.TrimPrefix(s.call, "GET "), nil)
	if err != nil {
		cancel()
		c.w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if len(seen) > 0 {
		s.Last = seen[0]
		req.Header.Set("Last-Event-ID", strconv.FormatInt(s.Last, 10))
	}
	client := http.Client{Transport: c.w.client.Transport} // without the time limit of an answer
	answer, err := client.Do(req)                          //nolint:bodyclose // Close does
	if err != nil {
		cancel()
		c.w.t.Fatal(err)
	}
	s.lines = bufio.NewScanner(answer.Body)
	s.close = func() { cancel(); _ = answer.Body.Close() }
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		s.close()
		c.w.t.Fatalf("%s answered %d %s", s.call, answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	return s
}

// Next is the next event of the refund; false when the stream has ended or was closed.
func (s *Stream) Next() (Event, bool) {
	s.c.w.t.Helper()
	var e Event
	name := ""
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "id":
			version, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				s.c.w.t.Fatalf("%s: an id is %q", s.call, value)
			}
			e.Version = version
		case "data":
			e.Data = []byte(value)
		case "":
			if name == "refund" {
				if err := json.Unmarshal(e.Data, &e.Refund); err != nil {
					s.c.w.t.Fatalf("%s: %v in %s", s.call, err, e.Data)
				}
				s.Last = e.Version
				return e, true
			}
			e, name = Event{}, ""
		}
	}
	return Event{}, false
}

// Close leaves the stream.
func (s *Stream) Close() { s.close() }
