package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/api/apitest"
)

// final are the statuses after which a stream ends.
func final(status string) bool { return status != "preview" && status != "processing" }

// TestFollowTogether: many customers, each with a few devices, follow their refunds from the preview to the credit. Each
// device is told the same story, in order, to its end; and nothing of it is left.
func TestFollowTogether(t *testing.T) {
	const many, devices = 10, 4
	leaks := goleak.IgnoreCurrent()
	w := apitest.Start(t, banktest.Crowd(many))
	var (
		customers [many]*banktest.Customer
		previews  [many]string
	)
	for i := range many {
		c := w.Customer(fmt.Sprintf("c%05d", i+1))
		c.Prove()
		customers[i], previews[i] = c, c.Preview(c.Requests()[0].RequestID).RefundID
	}
	w.Together(many, func(i int, w *banktest.World) {
		c, id := customers[i].In(w), previews[i]
		w.Together(devices, func(device int, w *banktest.World) {
			c := c.In(w)
			if device == 0 {
				c.Confirm(id).Want(http.StatusAccepted)
				return
			}
			stream := c.Follow(id)
			defer stream.Close()
			var told banktest.Event
			for seen := int64(-1); ; seen = told.Version {
				e, more := stream.Next()
				if !more {
					break
				}
				if e.Version <= seen || len(e.Refund.Timeline) < len(told.Refund.Timeline) {
					t.Errorf("version %d with %v after %d with %v", e.Version, e.Refund.States(), seen, told.Refund.States())
				}
				told = e
			}
			if !final(told.Refund.Status) {
				t.Errorf("the stream ends with %s", told.Refund.State)
			}
			if got := c.Do(http.MethodGet, "/v1/refunds/"+id, nil).Want(http.StatusOK); !bytes.Equal(bytes.TrimSpace(got.Body), told.Data) {
				t.Errorf("told is  %s\nand it is %s", told.Data, got.Body)
			}
		})
	})
	w.Exact()
	w.Close()
	goleak.VerifyNone(t, leaks)
}

// TestFollowThroughARestart: a gateway that stops ends its streams at once; the next one tells what happened since, and
// nothing twice.
func TestFollowThroughARestart(t *testing.T) {
	dir := t.TempDir()
	w := apitest.Start(t, banktest.Dir(dir))
	c := w.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	w.Fault("stop", banktest.Call("submit"))
	c.Confirm(id).Want(http.StatusAccepted)
	stream := c.Follow(id)
	first, more := stream.Next()
	if !more || first.Refund.Status != "processing" {
		t.Fatalf("at first it is %+v", first)
	}
	ended := make(chan time.Time)
	go func() {
		for {
			if _, more := stream.Next(); !more {
				ended <- time.Now()
				return
			}
		}
	}()
	began := time.Now()
	w.Close()
	if took := (<-ended).Sub(began); took > 5*time.Second {
		t.Errorf("the stream ends %v after the stop began", took)
	}

	again := apitest.Start(t, banktest.Dir(dir), banktest.At(w.URLs()))
	resumed := c.In(again).Follow(id, stream.Last)
	defer resumed.Close()
	last := banktest.Event{}
	for {
		e, more := resumed.Next()
		if !more {
			break
		}
		if e.Version <= stream.Last && last.Version == 0 || e.Version <= last.Version {
			t.Errorf("version %d is told after %d and %d", e.Version, stream.Last, last.Version)
		}
		last = e
	}
	if last.Refund.State != string(gateway.Credited) {
		t.Errorf("at last it is %s", last.Refund.State)
	}
	// Whoever has seen the end is told nothing more.
	over := c.In(again).Follow(id, last.Version)
	defer over.Close()
	if e, more := over.Next(); more {
		t.Errorf("after the end there is %+v", e)
	}
}

// TestFollowTooMuch: a customer's ninth stream is refused, and whoever leaves one may open another.
func TestFollowTooMuch(t *testing.T) {
	w := apitest.Start(t)
	c := w.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	var open []*banktest.Stream
	for range 8 {
		open = append(open, c.Follow(id))
	}
	got := c.Do(http.MethodGet, "/v1/refunds/"+id+"/events", nil).Want(http.StatusTooManyRequests, "rate_limited")
	if got.Header.Get("Retry-After") == "" {
		t.Error("it isn't said when to come back")
	}
	for _, stream := range open {
		stream.Close()
	}
	c.Do(http.MethodDelete, "/v1/refunds/"+id, nil).Want(http.StatusNoContent)
	c.Do(http.MethodGet, "/v1/refunds/"+id+"/events", nil).Want(http.StatusNotFound, "not_found")
}
