//go:build prove

package fleet_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/internal/fleet"
)

// A traveller is a customer who gives nothing up: whatever is away, or answers wrongly, is asked again, and what was
// forgotten is begun anew. All that they are told of their refund they tell the referee.
type traveller struct {
	person   banktest.Person
	request  string
	bank     string // base URLs
	control  string
	gateways []string
	client   *http.Client

	token    string
	refundID string // of the preview, and of the refund
	told     answer // last; a zero one before the 202
	untold   []answer
	answered bool // the last look was
	anew     int  // times that they began anew
}

// answer is what a gateway says of a refund.
type answer struct {
	RefundID  string `json:"refund_id"`
	Reference string `json:"reference"`
	Status    string `json:"status"`
	State     string `json:"state"`
}

// travellers are everybody of the crowd, each with the first of their requests.
func travellers(f *fleet.Fleet, n int) []*traveller {
	urls := f.World.URLs()
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: 5 * time.Second}}
	var gateways []string
	for _, g := range f.Gateways {
		gateways = append(gateways, g.Channel)
	}
	var all []*traveller
	for _, p := range f.World.People() {
		if strings.HasPrefix(p.User, "c") && len(all) < n {
			all = append(all, &traveller{
				person: p, request: "rq-" + p.User + "-1", bank: urls.Bank, control: urls.Control, gateways: gateways, client: client,
			})
		}
	}
	return all
}

// The pauses of a traveller.
const (
	tryAgainAfter = 300 * time.Millisecond
	lookAgainMax  = 30 * time.Second // at a refund that is on its way
)

// confirmed goes on until the refund is answered 202, and the referee knows.
func (tr *traveller) confirmed(ctx context.Context) bool {
	for ctx.Err() == nil {
		switch {
		case len(tr.untold) > 0:
			tr.tell(ctx)
		case tr.told.Reference != "":
			return true
		case tr.token == "":
			tr.signIn(ctx)
		case tr.refundID == "":
			tr.preview(ctx)
		default:
			tr.confirm(ctx)
		}
		if tr.told.Reference == "" || len(tr.untold) > 0 {
			pause(ctx, tryAgainAfter)
		}
	}
	return false
}

// follow looks at the refund until it has ended, less and less often.
func (tr *traveller) follow(ctx context.Context) {
	for wait := time.Second; ctx.Err() == nil && tr.told.Status == "processing"; wait = min(2*wait, lookAgainMax) {
		pause(ctx, wait)
		tr.look(ctx)
	}
}

// look asks once how the refund is, and tells the referee.
func (tr *traveller) look(ctx context.Context) {
	if tr.token == "" {
		tr.signIn(ctx)
	}
	var a answer
	switch tr.ask(ctx, http.MethodGet, "/v1/refunds/"+tr.refundID, nil, &a) {
	case http.StatusOK:
		tr.hear(a)
	case http.StatusUnauthorized:
		tr.token = ""
	}
	tr.tell(ctx)
}

// lookLast looks until there is an answer, and the referee knows.
func (tr *traveller) lookLast(ctx context.Context) {
	for tr.answered = false; ctx.Err() == nil; pause(ctx, tryAgainAfter) {
		if tr.look(ctx); tr.answered && len(tr.untold) == 0 {
			return
		}
	}
}

func (tr *traveller) hear(a answer) {
	tr.answered = true
	if a != tr.told {
		tr.told = a
		tr.untold = append(tr.untold, a)
	}
}

func (tr *traveller) tell(ctx context.Context) {
	if len(tr.untold) > 0 && tr.call(ctx, http.MethodPost, tr.control+"/referee/answers", object{"items": tr.untold}, nil) == http.StatusNoContent {
		tr.untold = nil
	}
}

func (tr *traveller) signIn(ctx context.Context) {
	form := url.Values{"grant_type": {"password"}, "username": {tr.person.User}, "password": {banktest.Password}}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if tr.call(ctx, http.MethodPost, tr.bank+"/token", form, &granted) == http.StatusOK {
		tr.token = granted.AccessToken
	}
}

// preview proves who they are and comes to the confirm, as far as it gets.
func (tr *traveller) preview(ctx context.Context) {
	if status := tr.askFor(ctx); status != http.StatusForbidden {
		return // it is there, or the core is not
	}
	seen := tr.newest(ctx)
	var challenge struct {
		ID string `json:"challenge_id"`
	}
	switch tr.ask(ctx, http.MethodPost, "/v1/otp/challenges", object{"purpose": "profile"}, &challenge) {
	case http.StatusCreated:
	case http.StatusTooManyRequests, http.StatusLocked:
		tr.call(ctx, http.MethodPost, tr.control+"/forgive", object{"user": tr.person.User}, nil)
		return
	case http.StatusUnauthorized:
		tr.token = ""
		return
	default:
		return
	}
	for range 20 {
		if sms := tr.newest(ctx); sms.ID != seen.ID {
			if code := codeInSMS.FindStringSubmatch(sms.Text); code != nil {
				tr.ask(ctx, http.MethodPost, "/v1/otp/challenges/"+challenge.ID+"/verify", object{"code": code[1]}, nil)
				tr.askFor(ctx)
				return
			}
		}
		pause(ctx, 100*time.Millisecond)
	}
}

var codeInSMS = regexp.MustCompile(`^[^\n]*:(\d{4,8})\n`)

func (tr *traveller) newest(ctx context.Context) banktest.SMS {
	var inbox struct{ Items []banktest.SMS }
	tr.call(ctx, http.MethodGet, tr.control+"/phone/messages?to="+url.QueryEscape(tr.person.Mobile), nil, &inbox)
	if len(inbox.Items) == 0 {
		return banktest.SMS{}
	}
	return inbox.Items[0]
}

// askFor previews, and returns the status.
func (tr *traveller) askFor(ctx context.Context) int {
	var preview banktest.Preview
	status := tr.ask(ctx, http.MethodPost, "/v1/refunds", object{
		"request_id": tr.request, "account_number": tr.person.Accounts[0].AccountNumber, "id_number": tr.person.IDNumber,
	}, &preview)
	switch status {
	case http.StatusCreated:
		tr.refundID = preview.RefundID
	case http.StatusUnauthorized:
		tr.token = ""
	}
	return status
}

func (tr *traveller) confirm(ctx context.Context) {
	var a answer
	switch tr.ask(ctx, http.MethodPost, "/v1/refunds/"+tr.refundID+"/confirm", nil, &a) {
	case http.StatusAccepted:
		tr.hear(a)
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden: // what may be forgotten was
		tr.refundID = ""
		tr.anew++
	case http.StatusUnauthorized:
		tr.token = ""
	}
}

var turn atomic.Uint64

// ask calls one gateway or another.
func (tr *traveller) ask(ctx context.Context, method, path string, body, into any) int {
	return tr.call(ctx, method, tr.gateways[turn.Add(1)%uint64(len(tr.gateways))]+path, body, into)
}

// call returns the status, or 0 when there is no answer, or none that can be read.
func (tr *traveller) call(ctx context.Context, method, at string, body, into any) int {
	var text []byte
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case url.Values:
		text, kind = []byte(b.Encode()), "application/x-www-form-urlencoded"
	default:
		text, _ = json.Marshal(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(text))
	if err != nil {
		return 0
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	if slices.ContainsFunc(tr.gateways, func(g string) bool { return strings.HasPrefix(at, g) }) {
		req.Header.Set("Authorization", "Bearer "+tr.token)
	}
	req.Header.Set("Idempotency-Key", rand.Text())
	resp, err := tr.client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	answered, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0
	}
	if into != nil && resp.StatusCode < 300 && json.Unmarshal(answered, into) != nil {
		return 0
	}
	return resp.StatusCode
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
