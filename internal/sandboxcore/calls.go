package sandboxcore

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxfault"
	"github.com/istirdad/istirdad/internal/sandboxjson"
)

// staleFor is how long a stale answer may not know of a refund yet: the time for
// which a 404 proves nothing (rule 3).
const staleFor = 60 * time.Second

var (
	referenceForm = regexp.MustCompile(`^RF[0-9A-HJKMNP-TV-Z]{16}$`) // Crockford's base32
	ibanForm      = regexp.MustCompile(`^SA[0-9]{22}$`)
	partyForm     = regexp.MustCompile(`^[0-9]{1,15}$`)
	partyKinds    = map[string]bool{"national_id": true, "iqama": true, "border": true, "establishment": true, "vehicle": true}
	buckets       = []string{"passports", "sponsorees", "vehicles", "driving_license", "labour", "civil"}
)

func (c *Core) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, endpoint := range map[string]http.Handler{
		"POST /core/v1/balances":                   c.endpoint(sandboxfault.CallInquiry, c.balances),
		"POST /core/v1/requests/search":            c.endpoint(sandboxfault.CallInquiry, c.searchRequests),
		"POST /core/v1/refunds":                    c.endpoint(sandboxfault.CallSubmit, c.submit),
		"GET /core/v1/refunds":                     c.endpoint(sandboxfault.CallList, c.listRefunds),
		"GET /core/v1/refunds/{reference}":         c.endpoint(sandboxfault.CallStatus, c.status),
		"POST /core/v1/refunds/{reference}/return": c.endpoint(sandboxfault.CallReturn, c.takeBack),
		"GET /core/v1/settlements/{date}":          c.endpoint(sandboxfault.CallList, c.settlement),
	} {
		mux.Handle(pattern, endpoint)
	}
	mux.HandleFunc(elsewhere, c.followed)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Refund-Core", "sandbox")
		mux.ServeHTTP(w, r)
	})
}

func (c *Core) balances(v *visit) (func() answer, error) {
	var ask struct {
		Identifier party `json:"identifier"`
		As         struct {
			Payer *party `json:"payer"`
		} `json:"as"`
	}
	if err := v.decode(&ask); err != nil {
		return nil, err
	}
	v.about = ask.Identifier.Number
	if !ask.Identifier.valid() || ask.As.Payer != nil && !ask.As.Payer.valid() {
		return nil, fmt.Errorf("%w: party", errMalformed)
	}
	return func() answer {
		type bucket struct {
			Bucket string `json:"bucket"`
			Amount int64  `json:"amount"`
		}
		items, total := []bucket{}, int64(0)
		totals := c.book.balances(ask.Identifier, ask.As.Payer)
		for _, name := range buckets {
			if amount := totals[name]; amount > 0 {
				items, total = append(items, bucket{name, amount}), total+amount
			}
		}
		return jsonAnswer(http.StatusOK, map[string]any{"buckets": items, "total": total})
	}, nil
}

func (c *Core) searchRequests(v *visit) (func() answer, error) {
	var ask search
	if err := v.decode(&ask); err != nil {
		return nil, err
	}
	v.about, v.requestID = ask.Identifier.Number, ask.RequestID
	if !ask.Identifier.valid() {
		return nil, fmt.Errorf("%w: party", errMalformed)
	}
	limit := 100
	if ask.Limit != nil {
		limit = *ask.Limit
	}
	if limit < 1 || limit > 500 {
		return nil, fmt.Errorf("%w: limit", errMalformed)
	}
	after, err := base64.RawURLEncoding.DecodeString(ask.Cursor)
	if err != nil {
		return nil, fmt.Errorf("%w: cursor", errMalformed)
	}
	ask.Cursor = string(after)
	return func() answer {
		items, next, known := c.book.search(ask, limit)
		if !known {
			return problem(http.StatusBadRequest, "malformed_request", "cursor")
		}
		return page(items, next)
	}, nil
}

// page is a list with the cursor of the rest; the place where that begins is
// nobody's business but ours.
func page[T any](items []T, next string) answer {
	var cursor *string
	if next != "" {
		text := base64.RawURLEncoding.EncodeToString([]byte(next))
		cursor = &text
	}
	return jsonAnswer(http.StatusOK, map[string]any{"items": items, "next_cursor": cursor})
}

func (c *Core) submit(v *visit) (func() answer, error) {
	var ask submission
	if err := v.decode(&ask); err != nil {
		return nil, err
	}
	v.reference, v.requestID, v.about = ask.Reference, ask.RequestID, ask.Payer.Number
	switch {
	case !referenceForm.MatchString(ask.Reference):
		return nil, fmt.Errorf("%w: reference", errMalformed)
	case ask.RequestID == "" || ask.Amount <= 0 || !ibanForm.MatchString(ask.IBAN) || !ask.Payer.valid():
		return nil, fmt.Errorf("%w: request_id, amount, iban or payer", errMalformed)
	}
	v.ask = &ask
	return func() answer {
		if v.mischief.is(sandboxfault.Forgets) {
			c.book.forget(v.bank, v.reference)
		}
		verdict := c.book.submit(v.bank, ask, c.plan(v.mischief, ask))
		if verdict.fresh {
			c.follow(verdict)
			if verdict.opening && c.cfg.UserOf(v.about) == silentOnce && !v.mischief.is(sandboxfault.Well) {
				v.silence()
			}
			if v.mischief.is(sandboxfault.EarlyCallback) && verdict.accepted() {
				early := verdict.refund.event(newNonce())
				v.early = &early
			}
		}
		if v.mischief.is(sandboxfault.ReferenceReused) {
			said := verdict
			said.reused = true
			a := said.answer(ask)
			a.effect = verdict.fresh && verdict.accepted()
			return a
		}
		return verdict.answer(ask)
	}, nil
}

// follow starts what a first submission sets going.
func (c *Core) follow(verdict verdict) {
	if due := verdict.refund.due(); !due.IsZero() {
		c.settling.add(due, verdict.refund.Reference)
	}
	if verdict.owed != nil {
		c.owe(*verdict.owed)
	}
}

func (v verdict) accepted() bool { return !v.reused && !v.unknown && v.refund.first.code == "" }

// submitted is the body of an accepted refund, the same for ever.
type submitted struct {
	Reference     string `json:"reference"`
	RequestID     string `json:"request_id"`
	Amount        int64  `json:"amount"`
	IBAN          string `json:"iban"`
	CoreReference string `json:"core_reference"`
	State         string `json:"state"`
}

// refused is the body of a refused one. Final refusals name the request and are
// repeated for ever; the others decide nothing.
type refused struct {
	Reference string `json:"reference"` // of channel "bank" the other one, under which the request was taken
	RequestID string `json:"request_id,omitempty"`
	Code      string `json:"code"`
	Channel   string `json:"channel,omitempty"`
	Final     bool   `json:"final,omitempty"`
}

func (v verdict) answer(ask submission) answer {
	first := v.refund.first
	switch {
	case v.reused:
		return jsonAnswer(http.StatusConflict, refused{Reference: ask.Reference, Code: codeReferenceReused})
	case v.unknown:
		return jsonAnswer(http.StatusNotFound, refused{Reference: ask.Reference, RequestID: ask.RequestID, Code: codeUnknownRequest})
	case first.code != "":
		return v.refund.refusal()
	}
	status := http.StatusOK
	if v.fresh {
		status = http.StatusCreated
	}
	a := jsonAnswer(status, submitted{
		Reference: ask.Reference, RequestID: ask.RequestID, Amount: ask.Amount, IBAN: ask.IBAN,
		CoreReference: v.refund.coreRef, State: first.state,
	})
	a.effect, a.tells = v.fresh, true
	return a
}

func (f refund) refusal() answer {
	body := refused{
		Reference: f.Reference, RequestID: f.RequestID, Code: f.first.code, Channel: f.first.channel, Final: true,
	}
	if f.first.channel == channelBank {
		body.Reference = f.first.other
	}
	status := http.StatusConflict
	if f.first.code == codePayerMismatch || f.first.code == codeNotRefundable {
		status = http.StatusUnprocessableEntity
	}
	return jsonAnswer(status, body)
}

// refundItem is a refund as GET has it.
type refundItem struct {
	Reference     string `json:"reference"`
	CoreReference string `json:"core_reference"`
	RequestID     string `json:"request_id"`
	Amount        int64  `json:"amount"`
	IBAN          string `json:"iban"`
	State         string `json:"state"`
	Code          string `json:"code,omitempty"`
	At            string `json:"at"`
}

func (f refund) item() refundItem {
	return refundItem{
		Reference: f.Reference, CoreReference: f.coreRef, RequestID: f.RequestID, Amount: f.Amount, IBAN: f.IBAN,
		State: f.state, Code: f.code, At: wireTime(f.at),
	}
}

// refundOf reads the reference of a path and finds whose refund it is.
func (v *visit) refundOf() (refund, bool) {
	v.reference = v.request.PathValue("reference")
	f, found := v.core.book.find(v.bank, v.reference)
	v.requestID, v.about = f.RequestID, f.Payer.Number
	return f, found
}

func (c *Core) status(v *visit) (func() answer, error) {
	v.refundOf()
	return func() answer {
		if v.mischief.is(sandboxfault.Forgets) {
			c.book.forget(v.bank, v.reference)
		}
		f, found := c.book.find(v.bank, v.reference)
		switch {
		case found && v.mischief.is(sandboxfault.StaleStatus):
			found = f.rewind(time.Now())
		case v.mischief.is(sandboxfault.Contradiction):
			found = false
		}
		if !found {
			return jsonAnswer(http.StatusNotFound, refused{Reference: v.reference, Code: codeUnknownReference})
		}
		a := jsonAnswer(http.StatusOK, f.item())
		a.tells = true
		return a
	}, nil
}

// rewind takes f back to before its last change. It reports false where there
// was nothing yet, as long as that is still credible.
func (f *refund) rewind(now time.Time) (found bool) {
	if f.before == nil {
		return now.Sub(f.accepted) > staleFor
	}
	f.state, f.at, f.code = f.before.state, f.before.at, ""
	return true
}

func (c *Core) listRefunds(v *visit) (func() answer, error) {
	query := v.request.URL.Query()
	from, err := queryTime(query.Get("from"))
	if err != nil {
		return nil, err
	}
	to, err := queryTime(query.Get("to"))
	if err != nil {
		return nil, err
	}
	place, err := base64.RawURLEncoding.DecodeString(query.Get("cursor"))
	if err != nil {
		return nil, fmt.Errorf("%w: cursor", errMalformed)
	}
	start := 0
	if len(place) > 0 {
		if start, err = strconv.Atoi(string(place)); err != nil || start < 0 {
			return nil, fmt.Errorf("%w: cursor", errMalformed)
		}
	}
	return func() answer {
		refunds, next := c.book.list(v.bank, from, to, start)
		items := make([]refundItem, len(refunds))
		for i, f := range refunds {
			items[i] = f.item()
		}
		if next < 0 {
			return page(items, "")
		}
		return page(items, strconv.Itoa(next))
	}, nil
}

// queryTime reads a bound; an absent one is the zero time, no bound.
func queryTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: a time in RFC 3339", errMalformed)
	}
	return t, nil
}

func (c *Core) takeBack(v *visit) (func() answer, error) {
	v.refundOf()
	var ask struct {
		Reason string `json:"reason"`
	}
	if err := v.decode(&ask); err != nil {
		return nil, err
	}
	if ask.Reason != "AC04" && ask.Reason != "AC06" {
		return nil, fmt.Errorf("%w: reason", errMalformed)
	}
	return func() answer {
		f, returned, fresh := c.book.takeBack(v.bank, v.reference, ask.Reason)
		if !returned {
			return jsonAnswer(http.StatusConflict, refused{Reference: v.reference, Code: codeNotRefunded})
		}
		a := jsonAnswer(http.StatusOK, f.item())
		a.effect = fresh
		return a
	}, nil
}

func (c *Core) settlement(v *visit) (func() answer, error) {
	day, err := time.ParseInLocation(time.DateOnly, v.request.PathValue("date"), riyadh)
	if err != nil {
		return nil, fmt.Errorf("%w: a date", errMalformed)
	}
	return func() answer {
		return answer{
			status: http.StatusOK, contentType: "text/csv; charset=utf-8",
			body: []byte(c.book.settlement(v.bank, day)),
		}
	}, nil
}

// decode reads the body as the JSON of this call.
func (v *visit) decode(into any) error {
	if err := sandboxjson.Read(v.body, into); err != nil {
		return fmt.Errorf("%w: not the JSON of this call", errMalformed)
	}
	return nil
}

func (p party) valid() bool { return partyKinds[p.Kind] && partyForm.MatchString(p.Number) }
