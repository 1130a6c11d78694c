package sandboxportal

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/money"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

//go:embed pages
var files embed.FS

// pages are the templates by name, each within the frame.
var pages = func() map[string]*template.Template {
	made := map[string]*template.Template{}
	for _, name := range []string{
		"home", "sign-in", "individuals", "inquiries", "inquiry", "balance", "remaining", "general", "refunds", "refund", "no",
	} {
		made[name] = template.Must(template.ParseFS(files, "pages/frame.html", "pages/parts.html", "pages/"+name+".html"))
	}
	return made
}()

// Where the pages are.
const (
	pathHome        = "/portal"
	pathIndividuals = "/portal/individuals"
	pathInquiries   = "/portal/inquiries"
	pathByIqama     = "/portal/inquiries/balance"     // path A
	pathRemaining   = "/portal/remaining"             // path B
	pathByNumber    = "/portal/remaining/individuals" // path B, signed in
	pathBalance     = "/portal/balance"               // what A and B show
	pathGeneral     = "/portal/general"               // path C
	pathRefunds     = "/portal/refunds"               // path C: the service
	pathSignIn      = "/portal/sign-in"
	pathSignOut     = "/portal/sign-out"
	pathLanguage    = "/portal/language"
	pathStyle       = "/portal/style.css"
)

const (
	sessionCookie  = "portal_session"
	languageCookie = "portal_language"
)

func (p *Portal) routePages(mux *http.ServeMux) {
	open := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { p.render(w, r, http.StatusOK, name, nil) }
	}
	mux.Handle("GET /{$}", http.RedirectHandler(pathHome, http.StatusFound))
	mux.Handle("GET /portal/{$}", http.RedirectHandler(pathHome, http.StatusFound))
	mux.HandleFunc("GET "+pathHome, open("home"))
	mux.HandleFunc("GET "+pathRemaining, open("remaining"))
	mux.HandleFunc("GET "+pathStyle, style)
	mux.HandleFunc("POST "+pathSignIn, p.postSignIn)
	mux.HandleFunc("POST "+pathSignOut, p.postSignOut)
	mux.HandleFunc("POST "+pathLanguage, p.postLanguage)

	for _, name := range []string{"individuals", "inquiries"} {
		mux.HandleFunc("GET /portal/"+name, p.inside(func(w http.ResponseWriter, r *http.Request, _ *session) { open(name)(w, r) }))
	}
	for _, form := range []inquiryForm{{Path: pathByIqama}, {Path: pathByNumber, Always: true}} {
		mux.HandleFunc("GET "+form.Path, p.inside(form.get(p)))
		mux.HandleFunc("POST "+form.Path, p.inside(form.post(p)))
	}
	mux.HandleFunc("GET /portal/captcha/{id}/picture", p.inside(p.picture))
	mux.HandleFunc("GET /portal/captcha/{id}/sound", p.inside(p.sound))
	mux.HandleFunc("GET "+pathBalance, p.inside(p.showBalance))
	mux.HandleFunc("GET "+pathGeneral, p.inside(p.showGeneral))
	mux.HandleFunc("GET "+pathRefunds, p.inside(p.showRefunds))
	mux.HandleFunc("POST "+pathRefunds, p.inside(p.postRefund))
	mux.HandleFunc("GET "+pathRefunds+"/{id}", p.inside(p.showRefund))
	mux.HandleFunc("POST "+pathRefunds+"/{id}/confirm", p.inside(p.postConfirm))
	mux.HandleFunc("GET /portal/", func(w http.ResponseWriter, r *http.Request) { p.say(w, r, &refusal{code: codeNotFound}) })
}

// routes is everything, behind what holds for all of it.
func (p *Portal) routes() http.Handler {
	mux := http.NewServeMux()
	p.routeAPI(mux)
	p.routePages(mux)
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Refund-Core", "sandbox")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		// Not no-referrer: with it the forms would be sent from the origin "null".
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.URL.Path != pathStyle && r.URL.Path != pathLanguage { // which the page that says no needs too
			if until, closed := p.closed(p.visitor(r)); closed {
				p.refuseEntry(w, r, &refusal{code: codeMaintenance, wait: time.Until(until)})
				return
			}
		}
		guarded.ServeHTTP(w, r)
	})
}

// visitor is the user who is signed in; "": nobody is.
func (p *Portal) visitor(r *http.Request) string {
	s, found := p.sessions.find(r.Header.Get(sessionHeader))
	if !found {
		if s, found = p.sessionOf(r); !found {
			return ""
		}
	}
	return s.person.User
}

// refuseEntry says no in the form in which was asked.
func (p *Portal) refuseEntry(w http.ResponseWriter, r *http.Request, no error) {
	if strings.HasPrefix(r.URL.Path, pathAPI) {
		answering(func(*http.Request) (int, any, error) { return 0, nil, no })(w, r)
		return
	}
	p.say(w, r, no)
}

func style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, files, "pages/style.css")
}

// A view is what a template is given.
type view struct {
	Lang   string
	Path   string // of the page that can be got again, for the switch of languages
	Person *sandboxseed.Person
	Data   any
}

// Say picks the language.
func (v view) Say(ar, en string) string { return in(v.Lang, words{AR: ar, EN: en}) }

// In is Say for what has both.
func (v view) In(w words) string { return in(v.Lang, w) }

// Dir is the direction of writing.
func (v view) Dir() string { return v.Say("rtl", "ltr") }

// English reports whether the page is in English.
func (v view) English() bool { return v.Lang == english }

// Sum is an amount as people read it: "6,000.00".
func (v view) Sum(halalas int64) string {
	const group = 3
	whole, cents, _ := strings.Cut(money.Amount(halalas).String(), ".")
	var text strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%group == 0 {
			text.WriteByte(',')
		}
		text.WriteRune(digit)
	}
	return text.String() + "." + cents
}

// Day is a date of both calendars, in Riyadh.
func (v view) Day(t time.Time) string {
	day := saudi.DateOf(t)
	if hijri, known := day.Hijri(); known {
		return day.String() + " · " + hijri.String() + v.Say(" هـ", " AH")
	}
	return day.String()
}

// Service is what a request was paid for.
func (v view) Service(r sandboxseed.Request) string { return v.In(nameOf(r)) }

// For is the beneficiary, masked.
func (v view) For(r sandboxseed.Request) string { return beneficiaryOf(r).Masked() }

// Kind says what a number is.
func (v view) Kind(kind string) string {
	switch saudi.Kind(kind) {
	case saudi.KindNationalID:
		return v.Say("رقم الهوية", "National ID number")
	case saudi.KindIqama:
		return v.Say("رقم الإقامة", "Iqama number")
	case saudi.KindBorder:
		return v.Say("رقم الحدود", "Border number")
	case saudi.KindEstablishment:
		return v.Say("رقم المنشأة", "Establishment number")
	case saudi.KindVehicle:
		return v.Say("الرقم التسلسلي للمركبة", "Vehicle sequence number")
	}
	return v.Say("الرقم", "Number")
}

// Account is the account that paid, masked.
func (v view) Account(r sandboxseed.Request) string {
	iban, err := saudi.ParseIBAN(r.PaidFromIBAN)
	if err != nil {
		return ""
	}
	return iban.Masked()
}

// Why is the reason for which a request can't come back.
func (v view) Why(r sandboxseed.Request) string {
	if r.Reason == codeAlreadyRefunded {
		return v.Say("مسترد أو قيد الاسترداد", "Refunded, or being refunded")
	}
	if r.Reason == codeFeeConsumed && sandboxseed.RuleOf(r.Service, r.PaidAt).Refundable == sandboxseed.UntilIssued {
		return v.Say("صدرت التأشيرة، ولا تسترد رسومها ولو ألغيت", "The visa was issued: its fee can't come back, even if it is cancelled")
	}
	return v.In(tolds[r.Reason].title)
}

// render answers with a page. It is written whole or not at all.
func (p *Portal) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	v := view{Lang: languageOf(r), Path: r.URL.Path, Data: data}
	if r.Method != http.MethodGet {
		v.Path = strings.TrimSuffix(v.Path, "/confirm")
	}
	if s, ok := p.sessionOf(r); ok {
		v.Person = &s.person
	}
	switch form := data.(type) {
	case signInForm:
		v.Path = form.To
	case refundsForm:
		v.Path = pathRefunds
	}
	var page bytes.Buffer
	if err := pages[name].ExecuteTemplate(&page, "frame.html", v); err != nil {
		http.Error(w, "the page can't be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", v.Lang)
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the reader is gone: nobody is left to tell
}

// languageOf is that of the pages.
func languageOf(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil && c.Value == english {
		return english
	}
	return arabic
}

// say answers with a page that says no.
func (p *Portal) say(w http.ResponseWriter, r *http.Request, err error) {
	no, told := tell(err)
	no.sayWhen(w.Header())
	p.render(w, r, told.status, "no", trouble{told.title, told.detail})
}

// trouble is what a page says when something went wrong.
type trouble struct{ Title, Detail words }

// troubleOf is the same above a form that is shown again.
func troubleOf(w http.ResponseWriter, err error) (*trouble, int) {
	no, told := tell(err)
	no.sayWhen(w.Header())
	return &trouble{told.title, told.detail}, told.status
}

func (p *Portal) sessionOf(r *http.Request) (*session, bool) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil, false
	}
	return p.sessions.find(c.Value)
}

// signInForm is the page that asks who somebody is.
type signInForm struct {
	To    string // the page that they wanted
	Wrong bool
}

// inside is for pages of people who are signed in. Others are asked to, in place,
// and come back.
func (p *Portal) inside(do func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		s, ok := p.sessionOf(r)
		if !ok {
			p.render(w, r, http.StatusOK, "sign-in", signInForm{To: strings.TrimSuffix(r.URL.Path, "/confirm")})
			return
		}
		do(w, r, s)
	}
}

// local is a page of the portal, to which one may be sent.
var local = regexp.MustCompile(`^/portal(/[A-Za-z0-9-]+)*$`)

func wanted(r *http.Request) string {
	if to := r.PostFormValue("to"); local.MatchString(to) {
		return to
	}
	return pathHome
}

func (p *Portal) postSignIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s, err := p.signIn(strings.TrimSpace(r.PostFormValue("username")), r.PostFormValue("password"))
	if err != nil {
		p.render(w, r, http.StatusUnauthorized, "sign-in", signInForm{To: wanted(r), Wrong: true})
		return
	}
	if old, ok := p.sessionOf(r); ok {
		p.sessions.end(old)
	}
	setCookie(w, sessionCookie, s.token)
	http.Redirect(w, r, wanted(r), http.StatusSeeOther)
}

func (p *Portal) postSignOut(w http.ResponseWriter, r *http.Request) {
	if s, ok := p.sessionOf(r); ok {
		p.sessions.end(s)
	}
	setCookie(w, sessionCookie, "")
	http.Redirect(w, r, pathHome, http.StatusSeeOther)
}

func (p *Portal) postLanguage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	lang := arabic
	if r.PostFormValue("language") == english {
		lang = english
	}
	setCookie(w, languageCookie, lang)
	http.Redirect(w, r, wanted(r), http.StatusSeeOther)
}

// setCookie sets a cookie for as long as the browser is open; an empty value ends
// it. It isn't Secure: the sandbox speaks HTTP, on one machine.
func setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: pathHome, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// inquiryForm is the page on which a number is entered: path A asks for an iqama
// number and wants the picture code when it isn't one's own, path B always wants
// it. Whether it is needed is decided by inquire alone.
type inquiryForm struct {
	Path    string
	Always  bool
	Number  string // as typed before
	Captcha string // id of the picture; empty: none yet
	Trouble *trouble
}

func (f inquiryForm) get(p *Portal) func(http.ResponseWriter, *http.Request, *session) {
	return func(w http.ResponseWriter, r *http.Request, s *session) {
		if f.Always {
			f.Captcha = p.newCaptcha(s).id
		}
		p.render(w, r, http.StatusOK, "inquiry", f)
	}
}

func (f inquiryForm) post(p *Portal) func(http.ResponseWriter, *http.Request, *session) {
	return func(w http.ResponseWriter, r *http.Request, s *session) {
		q := question{r.PostFormValue("id_number"), r.PostFormValue("captcha_id"), r.PostFormValue("captcha"), sourceOf(r)}
		found, err := p.inquire(s, q)
		if err == nil {
			p.sessions.show(s, found)
			http.Redirect(w, r, pathBalance, http.StatusSeeOther)
			return
		}
		f.Number = q.number
		var status int
		f.Trouble, status = troubleOf(w, err)
		var no *refusal
		wantsCode := errors.As(err, &no) && no.code == codeCaptchaWrong
		if wantsCode && q.captcha == "" {
			f.Trouble.Title = words{AR: "أدخل الرمز المرئي", EN: "Enter the picture code"}
		}
		if f.Always || wantsCode || q.captchaID != "" {
			f.Captcha = p.newCaptcha(s).id
		}
		p.render(w, r, status, "inquiry", f)
	}
}

func (p *Portal) picture(w http.ResponseWriter, r *http.Request, s *session) {
	if c, ok := p.sessions.captchaOf(s, r.PathValue("id")); ok {
		http.ServeContent(w, r, "code.png", time.Time{}, bytes.NewReader(c.picture))
		return
	}
	p.say(w, r, &refusal{code: codeNotFound})
}

func (p *Portal) sound(w http.ResponseWriter, r *http.Request, s *session) {
	if c, ok := p.sessions.captchaOf(s, r.PathValue("id")); ok {
		c.serveSound(w, r, languageOf(r))
		return
	}
	p.say(w, r, &refusal{code: codeNotFound})
}

func (c captcha) serveSound(w http.ResponseWriter, r *http.Request, lang string) {
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Content-Language", lang)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(say(c.code, lang, c.noise)))
}

// balance is an inquiry as a template reads it.
type balance struct {
	Kind, Number string
	Buckets      []bucketLine
	Total        int64
}

type bucketLine struct {
	Name   moi.Name
	Amount int64
}

func balanceOf(i inquiry) balance {
	b := balance{Kind: string(i.party.Kind()), Number: i.party.Masked(), Total: i.total}
	for _, line := range i.buckets {
		b.Buckets = append(b.Buckets, bucketLine{line.Name, line.amount})
	}
	return b
}

func (p *Portal) showBalance(w http.ResponseWriter, r *http.Request, s *session) {
	found, ok := p.sessions.shown(s)
	if !ok {
		http.Redirect(w, r, pathInquiries, http.StatusSeeOther)
		return
	}
	p.render(w, r, http.StatusOK, "balance", balanceOf(found))
}

func (p *Portal) showGeneral(w http.ResponseWriter, r *http.Request, s *session) {
	left, err := p.remaining(s)
	if err != nil {
		p.say(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "general", balanceOf(left))
}

// paymentsShown is how many payments a page lists, newest first: more than a
// person looks through. The API lists all.
const paymentsShown = 100

// refundsForm is the page on which a payment is chosen.
type refundsForm struct {
	Paid    []sandboxseed.Request
	Any     bool // of them is refundable
	More    bool // were paid, and longer ago
	Trouble *trouble
}

func (p *Portal) showRefunds(w http.ResponseWriter, r *http.Request, s *session) {
	p.askWhich(w, r, s, nil, http.StatusOK)
}

func (p *Portal) askWhich(w http.ResponseWriter, r *http.Request, s *session, what *trouble, status int) {
	paid, err := p.paid(s)
	if err != nil {
		p.say(w, r, err)
		return
	}
	form := refundsForm{Paid: paid, Trouble: what}
	if form.More = len(paid) > paymentsShown; form.More {
		form.Paid = paid[:paymentsShown]
	}
	for _, request := range form.Paid {
		form.Any = form.Any || request.Refundable
	}
	p.render(w, r, status, "refunds", form)
}

func (p *Portal) postRefund(w http.ResponseWriter, r *http.Request, s *session) {
	f, err := p.begin(s, r.PostFormValue("request_id"))
	if err != nil {
		what, status := troubleOf(w, err)
		p.askWhich(w, r, s, what, status)
		return
	}
	http.Redirect(w, r, pathRefunds+"/"+f.id, http.StatusSeeOther)
}

// refundPage shows all the data to be checked, and what became of it.
type refundPage struct {
	ID      string
	Request sandboxseed.Request
	Done    bool
	Success words
}

func (p *Portal) showRefund(w http.ResponseWriter, r *http.Request, s *session) {
	f, err := p.find(s, r.PathValue("id"))
	if err != nil {
		p.say(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "refund", refundPage{f.id, f.request, f.done, success})
}

func (p *Portal) postConfirm(w http.ResponseWriter, r *http.Request, s *session) {
	f, err := p.confirm(s, r.PathValue("id"))
	var no *refusal
	switch {
	case err == nil:
		http.Redirect(w, r, pathRefunds+"/"+f.id, http.StatusSeeOther)
	case errors.As(err, &no) && no.code != codeNotFound: // above what there is now
		what, status := troubleOf(w, err)
		p.askWhich(w, r, s, what, status)
	default:
		p.say(w, r, err)
	}
}
