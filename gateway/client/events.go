package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/istirdad/istirdad/gateway/client/internal/wire"
)

const (
	silenceMax = 45 * time.Second // three pings of the gateway: after that nobody is there
	awayMax    = time.Minute      // without a word, over however many attempts
	returnIn   = 3 * time.Second  // until the gateway says how soon one may come back
	lineMax    = 1 << 20          // bytes; a refund is a hundredth of it
)

// Events is what becomes of a refund, or of a preview and the refund that it becomes: how it stands now, then each change as
// it happens, until it is final. A stream that ends or breaks off before that is taken up again where it was, under a new
// token if the source has one, for as long as the context lasts and the gateway isn't away for a minute.
//
// The last thing is an error unless it is a final refund, or the loop was left: a Problem, the context's, or ErrNoAnswer.
func (c *Client) Events(ctx context.Context, refundID string) iter.Seq2[RefundOrPreview, error] {
	return func(yield func(RefundOrPreview, error) bool) {
		f := follower{client: c, refundID: refundID, wait: returnIn, heard: time.Now()}
		for failures := 1; ; failures++ {
			before := f.heard
			over, err := f.follow(ctx, yield)
			if over {
				return
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			} else if err = f.lasting(err); err == nil {
				if f.heard.After(before) {
					failures = 1
				}
				err = sleep(ctx, max(f.wait, backoff(failures)))
			}
			if err != nil {
				yield(RefundOrPreview{}, err)
				return
			}
		}
	}
}

// follower is somebody who follows one refund, over one stream after another.
type follower struct {
	client   *Client
	refundID string
	last     string        // id of the last event, empty before the first
	wait     time.Duration // until one may come back
	heard    time.Time     // when a stream last said something
}

// lasting is the error that ends it all, nil when another stream may do better than the one that ended with err.
func (f *follower) lasting(err error) error {
	if err == nil { // it ended as streams do: its time was up, or its token's
		return nil
	}
	asked, worth := worthRepeating(err)
	if !worth || asked > patience || time.Since(f.heard) > awayMax {
		return err
	}
	f.wait = max(f.wait, asked)
	return nil
}

// follow opens a stream and hands on what it says, until it is over for good or this stream ends.
func (f *follower) follow(ctx context.Context, yield func(RefundOrPreview, error) bool) (over bool, err error) {
	params := &wire.FollowRefundParams{LastEventID: given(f.last)}
	req, err := wire.NewFollowRefundRequest(f.client.base, f.refundID, params)
	if err != nil {
		return false, errNotMade
	}
	req.Header.Set("Accept", "text/event-stream")

	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	silence := time.AfterFunc(f.client.timeout, hangUp) // a read of the body has no deadline of its own
	defer silence.Stop()
	res, err := f.client.open(ctx, req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); res.StatusCode != http.StatusOK || media != "text/event-stream" {
		return false, errors.New("client: the answer isn't a stream of events")
	}

	events := reader{scanner: bufio.NewScanner(res.Body)}
	events.scanner.Buffer(nil, lineMax)
	for {
		silence.Reset(silenceMax)
		e, err := events.next()
		if e.retry > 0 {
			f.wait = min(e.retry, patience)
		}
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case errors.Is(err, bufio.ErrTooLong):
			return false, errors.New("client: an event is longer than any that the contract allows")
		case err != nil:
			return false, fmt.Errorf("%w: the stream breaks off: %w", ErrNoAnswer, err)
		}
		f.heard = time.Now()
		if e.id != "" {
			f.last = e.id
		}
		if e.name != "refund" {
			continue // a ping, or something newer than we are
		}
		var told RefundOrPreview
		if err := json.Unmarshal([]byte(e.data), &told); err != nil {
			return false, fmt.Errorf("client: the event isn't what the contract says: %w", err)
		}
		silence.Stop() // the loop may take its time
		if !yield(told, nil) || told.Refund != nil && told.Refund.Status.Final() {
			return true, nil
		}
	}
}

// event is one of a stream's.
type event struct {
	name, id, data string
	retry          time.Duration // 0: not said
}

// reader reads a stream of server-sent events (HTML, section 9.2), whose lines end in LF or CRLF.
type reader struct{ scanner *bufio.Scanner }

// next is the next event that has data. One that the stream ends within is none; a retry that stood alone before the end
// is told all the same.
func (r reader) next() (event, error) {
	var e event
	var data []string
	for r.scanner.Scan() {
		line := strings.TrimSuffix(r.scanner.Text(), "\r")
		if line == "" {
			if len(data) > 0 {
				e.data = strings.Join(data, "\n")
				return e, nil
			}
			e = event{retry: e.retry}
			continue
		}
		field, value, _ := strings.Cut(line, ":") // a comment has no name
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		case "id":
			e.id = value
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				e.retry = time.Duration(ms) * time.Millisecond
			}
		}
	}
	if err := r.scanner.Err(); err != nil {
		return event{retry: e.retry}, err
	}
	return event{retry: e.retry}, io.EOF
}

// sleep waits, or says why not.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
