package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/reqlog"
)

const (
	pingEvery   = 15 * time.Second // so that no proxy takes a quiet stream for a dead one
	streamMax   = 15 * time.Minute
	eventMax    = 10 * time.Second // for one event to leave; a reader who takes longer is gone
	patienceMax = bank.WatchPatience

	// Whoever comes back, comes back after 2 to 5 s, drawn for each: a gateway that stops sends all of its streams away
	// at once. After the last event there is nothing to come back for; whoever does so all the same needn't hurry.
	returnLeast  = 2 * time.Second
	returnSpread = 3 * time.Second
	returnFinal  = 15 * time.Minute
)

// eventsInput is what a stream is asked with. The header is no more than a hint: one that is no version of this refund
// is as good as none.
type eventsInput struct {
	WithID
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that arrived; it isn't told again."`
}

// streamed is an output that writes itself.
type streamed struct{ Body func(huma.Context) }

// followRefund tells the customer what becomes of a refund, as it happens.
func (s *server) followRefund() {
	follow := op("follow-refund", http.MethodGet, "/v1/refunds/{refund_id}/events", "A refund as it moves on", "Refunds").
		says("Server-sent events. `refund` has the body of get-refund as its data and a version as its id; it comes at once, and "+
			"again whenever that body has changed. What happens within a second comes as one. `ping` comes every 15 seconds and "+
			"says nothing.\n\n"+
			"The stream ends after a final state, when the token expires or the session ends, and after 15 minutes at most. A client "+
			"that comes back with `Last-Event-ID` is told what it hasn't seen, and nothing twice; `retry` says after how many "+
			"milliseconds to come back.\n\n"+
			"Of a preview the id is 0; once it is confirmed the refund follows, and once it has expired the stream ends.\n\n"+
			"A customer may keep 8 streams open at one gateway (`rate_limited`). One that has no room, or is about to stop, says "+
			"`try_again`.").
		refuses("not_found preview_expired rate_limited").
		shows(
			example{
				name: "completed", summary: "The money is in the account, and there is nothing more to tell", as: "p03",
				with:   map[string]string{"refund_id": sampleRefundID, "Last-Event-ID": "3"},
				answer: sampleStream(),
			},
			example{
				name: "not-theirs", summary: "Somebody else's, or one that never was", as: "p06", with: map[string]string{"refund_id": sampleRefundID},
				refused: bank.ErrNotFound,
			},
		)
	follow.Responses = map[string]*huma.Response{"200": {
		Description: "Events, until there is nothing more to tell.",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	route(s, follow, func(ctx context.Context, c bank.Caller, in *eventsInput) (*streamed, error) {
		watch, view, err := s.Path.Watch(ctx, c, in.RefundID)
		if err != nil {
			return nil, err
		}
		return &streamed{func(h huma.Context) { //nolint:contextcheck // h has the request's
			defer watch.Stop()
			st := stream{
				watch: watch, writer: h.BodyWriter().(http.ResponseWriter), last: resumed(in.LastEventID, view),
				// Who may read is asked again as long as the stream goes on, of the same who let it begin.
				allowed: func(ctx context.Context) error {
					if _, err := bank.Authenticate(ctx, s.Identity, headers(h, "Authorization")); err != nil {
						return err
					}
					return s.Path.Still(ctx, c)
				},
			}
			defer st.finish()
			ctx, cancel := context.WithDeadline(h.Context(), earlier(time.Now().Add(streamMax), c.Expires))
			defer cancel()
			if st.begin(view) == nil {
				reqlog.Streaming(ctx)
				st.run(ctx)
			}
		}}, nil
	})
}

// sampleStream is a whole stream: of a refund that has ended.
func sampleStream() string {
	var told bytes.Buffer
	fmt.Fprintf(&told, "retry: 3127\n\nretry: %d\n\nevent: refund\nid: 8\ndata: ", returnFinal.Milliseconds())
	_ = writeJSON(&told, sampleRefund) // a buffer takes all
	return told.String() + "\n"
}

// nothing is before every version.
const nothing = -1

// resumed is the version that the client has seen; nothing when it doesn't say, or says what can't be.
func resumed(lastEventID string, now bank.View) int64 {
	version, err := strconv.ParseInt(lastEventID, 10, 64)
	if err != nil || version < 0 || version > now.Version() {
		return nothing
	}
	return version
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// stream is one client's.
type stream struct {
	watch   *bank.Watch
	writer  http.ResponseWriter
	allowed func(context.Context) error
	last    int64     // the version that the client has seen
	preview bool      // it is one of a preview
	away    time.Time // since when somebody couldn't be asked; zero: all could
}

// errOver: there is nothing more to tell.
var errOver = errors.New("the stream is over")

// begin answers, and shows what there is to be seen unless the client has seen it.
func (st *stream) begin(view bank.View) error {
	header := st.writer.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // nginx would wait until there is more
	header.Set("Connection", "close")     // what is left of its deadlines is nobody else's
	if err := st.send(fmt.Appendf(nil, "retry: %d\n\n", spread().Milliseconds())); err != nil {
		return err
	}
	return st.show(view)
}

// run shows what there is to be seen until ctx is done or there is nothing more. An error is never told: what there was
// to be said of a refusal the client is told when it comes back.
func (st *stream) run(ctx context.Context) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-st.watch.Over():
			return
		case <-st.watch.Moved():
			err = st.look(ctx)
		case <-ping.C:
			if err = st.beat(ctx); err == nil || st.bears(err) {
				err = st.send([]byte("event: ping\ndata: {}\n\n"))
			}
		}
		if err != nil && !st.bears(err) {
			return
		}
	}
}

// look shows what has changed.
func (st *stream) look(ctx context.Context) error {
	if err := st.allowed(ctx); err != nil {
		return err
	}
	view, err := st.watch.Look(ctx)
	if err != nil {
		return err
	}
	st.away = time.Time{}
	return st.show(view)
}

// beat says whether the stream may go on. Nobody tells of a preview that has expired or was withdrawn, so it is looked at;
// and so is what couldn't be looked at before.
func (st *stream) beat(ctx context.Context) error {
	if st.preview || !st.away.IsZero() {
		return st.look(ctx)
	}
	return st.allowed(ctx)
}

// bears reports whether an error is one that passes: somebody who couldn't be asked, for no longer than patience lasts.
func (st *stream) bears(err error) bool {
	if !errors.Is(err, bank.ErrUnavailable) {
		return false
	}
	if st.away.IsZero() {
		st.away = time.Now()
	}
	return time.Since(st.away) < patienceMax
}

// show sends a view that the client hasn't seen. It returns errOver after a final one.
func (st *stream) show(view bank.View) error {
	st.preview = view.Preview != nil
	var said bytes.Buffer
	if view.Final() {
		fmt.Fprintf(&said, "retry: %d\n\n", returnFinal.Milliseconds())
	}
	if version := view.Version(); version > st.last {
		fmt.Fprintf(&said, "event: refund\nid: %d\ndata: ", version)
		if err := writeJSON(&said, refundOrPreviewOf(view)); err != nil { // ends with a line feed, and has no other
			return err
		}
		said.WriteByte('\n')
		st.last = version
	}
	if said.Len() > 0 {
		if err := st.send(said.Bytes()); err != nil {
			return err
		}
	}
	if view.Final() {
		return errOver
	}
	return nil
}

// send has its own deadline, because the server's is for answers that end.
func (st *stream) send(event []byte) error {
	control := http.NewResponseController(st.writer)
	if err := control.SetWriteDeadline(time.Now().Add(eventMax)); err != nil {
		return err
	}
	if _, err := st.writer.Write(event); err != nil {
		return err
	}
	return control.Flush()
}

// finish gives the server time to write the end, without which the client would take the stream for broken off.
func (st *stream) finish() {
	_ = http.NewResponseController(st.writer).SetWriteDeadline(time.Now().Add(eventMax)) // then it is broken off
}

// spread draws when a client is to come back.
func spread() time.Duration {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails
	return returnLeast + returnSpread*time.Duration(b[0])/255
}
