package sandboxportal

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/sandboxjson"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

const (
	maxBody       = 16 << 10 // bytes
	sessionHeader = "Portal-Session"
	pathAPI       = "/portal/api/"
)

// routeAPI: api.md, "The sandbox", core portal.
func (p *Portal) routeAPI(mux *http.ServeMux) {
	mux.HandleFunc("POST /portal/api/login", answering(p.login))
	mux.HandleFunc("GET /portal/api/captcha", p.signedIn(p.giveCaptcha))
	mux.HandleFunc("GET /portal/api/captcha/{id}/sound", p.giveSound)
	mux.HandleFunc("POST /portal/api/balance", p.signedIn(p.giveBalance))
	mux.HandleFunc("GET /portal/api/requests", p.signedIn(p.giveRequests))
	mux.HandleFunc("POST /portal/api/refunds", p.signedIn(p.beginRefund))
	mux.HandleFunc("POST /portal/api/refunds/{id}/confirm", p.signedIn(p.confirmRefund))
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		mux.HandleFunc(method+" "+pathAPI, answering(func(*http.Request) (int, any, error) {
			return 0, nil, &refusal{code: codeNotFound}
		}))
	}
}

// answering turns a function into a handler: what it returns as JSON, its error
// as a problem (RFC 9457).
func answering(do func(*http.Request) (status int, body any, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		status, body, err := do(r)
		if err == nil {
			send(w, "application/json", status, body)
			return
		}
		no, told := tell(err)
		no.sayWhen(w.Header())
		lang := languageAsked(r)
		send(w, "application/problem+json", told.status, problem{
			Type: "urn:istirdad:problem:" + no.code, Title: in(lang, told.title), Status: told.status,
			Detail: in(lang, told.detail), Instance: r.URL.Path, Code: no.code,
		})
	}
}

type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Code     string `json:"code"`
}

func send(w http.ResponseWriter, media string, status int, body any) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // the reader is gone: nobody is left to tell
}

// signedIn lets in whoever brings a session's token.
func (p *Portal) signedIn(do func(*http.Request, *session) (int, any, error)) http.HandlerFunc {
	return answering(func(r *http.Request) (int, any, error) {
		s, ok := p.sessions.find(r.Header.Get(sessionHeader))
		if !ok {
			return 0, nil, &refusal{code: codeUnauthenticated}
		}
		return do(r, s)
	})
}

func read(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = sandboxjson.Read(body, into)
	}
	if err != nil {
		return &refusal{code: codeMalformed}
	}
	return nil
}

func (p *Portal) login(r *http.Request) (int, any, error) {
	var ask struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := read(r, &ask); err != nil {
		return 0, nil, err
	}
	s, err := p.signIn(ask.Username, ask.Password)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]string{"session": s.token}, nil
}

func (p *Portal) giveCaptcha(_ *http.Request, s *session) (int, any, error) {
	c := p.newCaptcha(s)
	return http.StatusOK, map[string]string{
		"captcha_id": c.id, "image": "data:image/png;base64," + base64.StdEncoding.EncodeToString(c.picture),
		"sound": "/portal/api/captcha/" + c.id + "/sound",
	}, nil
}

// giveSound is the picture for who can't see it, in the language of Accept-Language.
func (p *Portal) giveSound(w http.ResponseWriter, r *http.Request) {
	s, signedIn := p.sessions.find(r.Header.Get(sessionHeader))
	if !signedIn {
		p.refuseEntry(w, r, &refusal{code: codeUnauthenticated})
		return
	}
	c, alive := p.sessions.captchaOf(s, r.PathValue("id"))
	if !alive {
		p.refuseEntry(w, r, &refusal{code: codeNotFound})
		return
	}
	c.serveSound(w, r, languageAsked(r))
}

type amount struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

func riyals(halalas int64) amount { return amount{money.Amount(halalas).String(), money.Currency} }

type bucketItem struct {
	Bucket string   `json:"bucket"`
	Name   moi.Name `json:"name"`
	Amount amount   `json:"amount"`
}

func (p *Portal) giveBalance(r *http.Request, s *session) (int, any, error) {
	var ask struct {
		IDNumber  string `json:"id_number"`
		CaptchaID string `json:"captcha_id"`
		Captcha   string `json:"captcha"`
	}
	if err := read(r, &ask); err != nil {
		return 0, nil, err
	}
	found, err := p.inquire(s, question{ask.IDNumber, ask.CaptchaID, ask.Captcha, sourceOf(r)})
	if err != nil {
		return 0, nil, err
	}
	items := make([]bucketItem, len(found.buckets))
	for i, b := range found.buckets {
		items[i] = bucketItem{b.ID, b.Name, riyals(b.amount)}
	}
	return http.StatusOK, struct {
		ID      saudi.Party  `json:"id"`
		Buckets []bucketItem `json:"buckets"`
		Total   amount       `json:"total"`
	}{found.party, items, riyals(found.total)}, nil
}

// fee is a paid request as the API shows it, in a list or to be checked.
type fee struct {
	RequestID   string      `json:"request_id"`
	Service     string      `json:"service"`
	Name        moi.Name    `json:"name"`
	Beneficiary saudi.Party `json:"beneficiary"`
	Amount      amount      `json:"amount"`
}

func feeOf(r sandboxseed.Request) fee {
	return fee{r.ID, r.Service, nameOf(r), beneficiaryOf(r), riyals(r.Amount)}
}

// nameOf is the service with what was chosen, or else its generic name.
func nameOf(r sandboxseed.Request) moi.Name {
	if r.Variant != (moi.Name{}) {
		return r.Variant
	}
	service, _ := moi.Lookup(r.Service)
	return service.Name
}

func beneficiaryOf(r sandboxseed.Request) saudi.Party {
	party, err := saudi.NewParty(saudi.Kind(r.BeneficiaryKind), r.BeneficiaryNumber)
	if err != nil {
		return saudi.Party{} // the seed's tests see that there is none such
	}
	return party
}

// apiTime is RFC 3339 in UTC with six decimals.
const apiTime = "2006-01-02T15:04:05.000000Z"

func (p *Portal) giveRequests(_ *http.Request, s *session) (int, any, error) {
	paid, err := p.paid(s)
	if err != nil {
		return 0, nil, err
	}
	type item struct {
		fee
		PaidAt     string  `json:"paid_at"`
		Refundable bool    `json:"refundable"`
		Reason     *string `json:"reason"`
	}
	items := make([]item, len(paid))
	for i, r := range paid {
		items[i] = item{feeOf(r), r.PaidAt.In(time.UTC).Format(apiTime), r.Refundable, nil}
		if !r.Refundable {
			items[i].Reason = &r.Reason
		}
	}
	return http.StatusOK, map[string]any{"items": items}, nil
}

func (p *Portal) beginRefund(r *http.Request, s *session) (int, any, error) {
	var ask struct {
		RequestID string `json:"request_id"`
	}
	if err := read(r, &ask); err != nil {
		return 0, nil, err
	}
	f, err := p.begin(s, ask.RequestID)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, struct {
		ID string `json:"id"`
		fee
	}{f.id, feeOf(f.request)}, nil
}

func (p *Portal) confirmRefund(r *http.Request, s *session) (int, any, error) {
	f, err := p.confirm(s, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, struct {
		ID      string `json:"id"`
		State   string `json:"state"`
		Message words  `json:"message"`
	}{f.id, sandboxseed.StateRefunded, success}, nil
}
