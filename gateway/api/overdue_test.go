package api_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

func (s *shelf) Refunds(context.Context, string, bank.Page) ([]gateway.Refund, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []gateway.Refund{s.refund}, "", s.err
}

// TestOverdue: how late a refund is stands in what a teller is answered, also where it isn't; in what a customer is answered
// there is nothing of it.
func TestOverdue(t *testing.T) {
	follow(t, 1, func(s *streams) { // on Saturday 2000-01-01, at three in the morning
		for name, c := range map[string]struct {
			confirmed time.Time
			state     gateway.State
			want      string
		}{
			"on Tuesday":              {time.Date(1999, 12, 28, 9, 0, 0, 0, time.UTC), gateway.Pending, "null"},
			"on Monday":               {time.Date(1999, 12, 27, 9, 0, 0, 0, time.UTC), gateway.Pending, `"overdue"`},
			"on Tuesday of last week": {time.Date(1999, 12, 21, 9, 0, 0, 0, time.UTC), gateway.Manual, `"red"`},
			"and by now credited":     {time.Date(1999, 12, 21, 9, 0, 0, 0, time.UTC), gateway.Credited, "null"},
		} {
			s.shelf.refund.CreatedAt = c.confirmed
			s.shelf.move(c.state, int64(len(s.shelf.events)+1))
			for path, where := range map[string]string{"/v1/refunds/" + s.shelf.refund.ID: "a refund", "/v1/refunds": "a list"} {
				for caller, want := range map[string]string{"t01": c.want, "p01": "nothing"} {
					var header []string
					if caller == "t01" {
						header = []string{"Assisted-Session", "visit"}
					}
					answer := s.get(path, caller, header...)
					body, err := io.ReadAll(answer.Body)
					if err != nil || answer.StatusCode != 200 {
						t.Fatalf("%s, %s: %d %s %v", name, where, answer.StatusCode, body, err)
					}
					var one struct {
						Overdue json.RawMessage
						Items   []struct{ Overdue json.RawMessage }
					}
					if err := json.Unmarshal(body, &one); err != nil {
						t.Fatal(err)
					}
					if len(one.Items) == 1 {
						one.Overdue = one.Items[0].Overdue
					}
					if one.Overdue == nil {
						one.Overdue = []byte("nothing")
					}
					if got := string(one.Overdue); got != want {
						t.Errorf("confirmed %s, %s says %s to %s, want %s", name, where, got, caller, want)
					}
				}
			}
		}
	})
}
