package sandboxportal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/istirdad/istirdad/internal/sandboxportal"
	"github.com/istirdad/istirdad/internal/sandboxseed"
	"github.com/istirdad/istirdad/internal/saudi"
)

// The core's own book is behind the portal in internal/sandbox. This one has no rules: it answers what a test wants to
// hear.
type book struct {
	err     error
	confirm error // of RefundOnPortal
	paid    int
}

func (b book) Balance(saudi.Party) (map[string]int64, error) { return map[string]int64{}, b.err }

func (b book) PaidBy(saudi.Party) ([]sandboxseed.Request, error) {
	return slices.Repeat([]sandboxseed.Request{{ID: "rq", Service: "090-003", Refundable: true}}, b.paid), b.err
}

func (b book) CheckOnPortal(string, saudi.Party) (sandboxseed.Request, error) {
	return sandboxseed.Request{Service: "090-003"}, b.err
}

func (b book) RefundOnPortal(string, string, int64, saudi.Party) error {
	return errors.Join(b.err, b.confirm)
}

func (b book) RefundedOnPortal(string, saudi.Party) (r sandboxseed.Request, found bool, err error) {
	return r, false, nil
}

// no is a refusal of the book.
type no struct{ code, channel string }

func (n no) Error() string                   { return n.code }
func (n no) Refused() (code, channel string) { return n.code, n.channel }

// visitor is somebody at the portal, at an address.
type visitor struct {
	t       *testing.T
	portal  *sandboxportal.Portal
	address string
	session string
}

func open(b book) *sandboxportal.Portal {
	return sandboxportal.New(sandboxseed.New(0, time.Now()).People, b, nil)
}

func come(t *testing.T, p *sandboxportal.Portal, user string) visitor {
	t.Helper()
	v := visitor{t: t, portal: p, address: "192.0.2.1:4711"}
	var granted struct{ Session string }
	v.do("POST", "/portal/api/login", fmt.Sprintf(`{"username":%q,"password":"istirdad"}`, user)).want(t, 200, "").json(t, &granted)
	v.session = granted.Session
	return v
}

type answer struct{ *httptest.ResponseRecorder }

func (v visitor) send(r *http.Request) answer {
	r.RemoteAddr = v.address
	w := httptest.NewRecorder()
	v.portal.Handler().ServeHTTP(w, r)
	if w.Header().Get("Refund-Core") != "sandbox" {
		v.t.Errorf("%s %s isn't marked as a stand-in's", r.Method, r.URL)
	}
	return answer{w}
}

func (v visitor) do(method, path, body string, header ...string) answer {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Portal-Session", v.session)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return v.send(r)
}

func (a answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), into); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
}

func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	var p struct{ Code string }
	_ = json.Unmarshal(a.Body.Bytes(), &p)
	if a.Code != status || p.Code != code {
		t.Fatalf("%d %s, want %d %s: %s", a.Code, p.Code, status, code, a.Body)
	}
	return a
}

// see takes a picture and reads it.
func (v visitor) see() (id, code string, picture []byte) {
	v.t.Helper()
	var c struct {
		CaptchaID string `json:"captcha_id"`
		Image     string
	}
	v.do("GET", "/portal/api/captcha", "").want(v.t, 200, "").json(v.t, &c)
	encoded, found := strings.CutPrefix(c.Image, "data:image/png;base64,")
	picture, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		v.t.Fatalf("the picture is %.40s, %v", c.Image, err)
	}
	code, found = v.portal.Captcha(c.CaptchaID)
	if !found {
		v.t.Fatal("nobody knows what the picture says")
	}
	return c.CaptchaID, code, picture
}

const stranger = "1900000033"

func (v visitor) ask(number, id, code string) answer {
	return v.do("POST", "/portal/api/balance", fmt.Sprintf(`{"id_number":%q,"captcha_id":%q,"captcha":%q}`, number, id, code))
}

func (v visitor) askRightly(number string) answer {
	id, code, _ := v.see()
	return v.ask(number, id, code)
}

// other is a code of the same form that isn't this one.
func other(code string) string {
	return string('1'+(code[0]-'1'+1)%9) + code[1:]
}

func TestPictureCodeIsGoodOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := come(t, open(book{}), "p03")
		id, code, _ := v.see()
		v.ask(stranger, id, code).want(t, 200, "")
		v.ask(stranger, id, code).want(t, 422, "captcha_wrong") // used by a right try

		id, code, _ = v.see()
		v.ask(stranger, id, other(code)).want(t, 422, "captcha_wrong")
		v.ask(stranger, id, code).want(t, 422, "captcha_wrong") // used by a wrong one

		for _, missing := range []string{`{"id_number":"` + stranger + `"}`, `{"id_number":"` + stranger + `","captcha":"` + code + `"}`} {
			v.do("POST", "/portal/api/balance", missing).want(t, 422, "captcha_wrong")
		}
		id, code, _ = v.see()
		v.ask("1900000034", id, code).want(t, 422, "id_invalid") // of a number that can't be, nothing is used up
		v.ask(stranger, id, code).want(t, 200, "")
	})
}

func TestPictureCodeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := come(t, open(book{}), "p03")
		id, code, _ := v.see()
		time.Sleep(2*time.Minute - time.Nanosecond)
		v.ask(stranger, id, code).want(t, 200, "")
		id, code, _ = v.see()
		time.Sleep(2 * time.Minute)
		if _, known := v.portal.Captcha(id); known {
			t.Error("the control listener still tells a code that is over")
		}
		v.ask(stranger, id, code).want(t, 422, "captcha_wrong")
	})
}

func TestPictureCodeIsOneSessions(t *testing.T) {
	p := open(book{})
	p03, p04 := come(t, p, "p03"), come(t, p, "p04")
	id, code, _ := p03.see()
	p04.ask(stranger, id, code).want(t, 422, "captcha_wrong")
	p03.ask(stranger, id, code).want(t, 200, "") // and somebody else's try doesn't use it up
	// A session has four at most; whoever asks for more loses the oldest.
	first, _, _ := p03.see()
	for range 4 {
		p03.see()
	}
	if _, known := p.Captcha(first); known {
		t.Error("a session collects pictures without end")
	}
	p.Reset()
	if _, known := p.Captcha(id); known {
		t.Error("a reset leaves pictures")
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(book{})
		alive := func(v visitor) bool { return v.do("GET", "/portal/api/requests", "").Code == 200 }
		idle := come(t, p, "p03")
		time.Sleep(15 * time.Minute)
		idle.do("GET", "/portal/api/requests", "").want(t, 401, "unauthenticated")

		busy := come(t, p, "p03")
		for range 5 {
			if time.Sleep(10 * time.Minute); !alive(busy) {
				t.Fatal("a session ends while it is used")
			}
		}
		if time.Sleep(10 * time.Minute); alive(busy) {
			t.Error("a session that is used lives for ever")
		}
		// Each person has eight at most.
		oldest := come(t, p, "p03")
		somebody := come(t, p, "p04")
		for range 8 {
			come(t, p, "p03")
		}
		if alive(oldest) || !alive(somebody) {
			t.Errorf("after eight more: the oldest is alive %t, somebody else's %t", alive(oldest), alive(somebody))
		}
		stolen := visitor{t: t, portal: p, address: oldest.address}
		stolen.do("GET", "/portal/api/requests", "").want(t, 401, "unauthenticated")
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := come(t, open(book{}), "p03")
		at := func(i int) visitor {
			there := v
			there.address = fmt.Sprintf("198.51.100.%d:1", i)
			return there
		}
		for i := range 20 {
			at(i).askRightly(stranger).want(t, 200, "")
		}
		time.Sleep(4 * time.Minute)
		v.do("GET", "/portal/api/requests", "").want(t, 200, "")
		if a := at(21).askRightly(stranger).want(t, 429, "rate_limited"); a.Header().Get("Retry-After") != "360" {
			t.Errorf("come back in %q s", a.Header().Get("Retry-After"))
		}
		at(21).askRightly("1900000017").want(t, 200, "") // another number
		// Whoever owns the number isn't kept out by strangers.
		owner := come(t, v.portal, "p11")
		owner.address = at(22).address
		owner.askRightly(stranger).want(t, 200, "")
		time.Sleep(6 * time.Minute)
		at(21).askRightly(stranger).want(t, 200, "")

		// By source, whatever becomes of the try; of IPv6 all addresses of a subscriber are one.
		v.address = "[2001:db8:1:2::1]:1"
		for range 100 {
			v.ask(stranger, "none", "11111").want(t, 422, "captcha_wrong")
		}
		v.address = "[2001:db8:1:2:ffff::2]:2"
		v.askRightly(stranger).want(t, 429, "rate_limited")
		v.do("POST", "/portal/api/balance", `{"id_number":"2900000015"}`).want(t, 200, "") // one's own
		v.address = "[2001:db8:1:3::1]:1"
		v.askRightly(stranger).want(t, 200, "")
	})
}

// TestPicture: it is a picture, no two are alike, and a copy of the code isn't in it.
func TestPicture(t *testing.T) {
	v := come(t, open(book{}), "p03")
	known, codes := map[string]bool{}, map[string]bool{}
	for range 20 {
		_, code, picture := v.see()
		img, err := png.Decode(bytes.NewReader(picture))
		if err != nil || img.Bounds().Dx() != 300 || img.Bounds().Dy() != 100 {
			t.Fatalf("%v, %v", img, err)
		}
		dark := 0
		for y := range 100 {
			for x := range 300 {
				if r, _, _, _ := img.At(x, y).RGBA(); r < 0x8000 {
					dark++
				}
			}
		}
		if dark < 2000 || dark > 12_000 {
			t.Errorf("of 30,000 points %d are dark", dark)
		}
		if known[string(picture)] || bytes.Contains(picture, []byte(code)) {
			t.Error("a picture that was seen before, or says its code in words")
		}
		if !regexp.MustCompile(`^[1-9]{5}$`).MatchString(code) {
			t.Errorf("the code is %q", code)
		}
		known[string(picture)], codes[code] = true, true
	}
	if len(codes) < 15 {
		t.Errorf("twenty pictures with %d codes", len(codes))
	}
}

// page is a visit by browser.
func (v visitor) page(method, path string, form url.Values, header ...string) answer {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.AddCookie(&http.Cookie{Name: "portal_session", Value: v.session})
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return v.send(r)
}

// TestSound: whoever listens hears the code, in their language; and only in the session whose it is.
func TestSound(t *testing.T) {
	p := open(book{})
	v, w := come(t, p, "p03"), come(t, p, "p04")
	for range 2 {
		id, code, _ := v.see()
		page, api := "/portal/captcha/"+id+"/sound", "/portal/api/captcha/"+id+"/sound"
		for _, lang := range []string{"ar", "en"} {
			cookies := "portal_session=" + v.session + "; portal_language=" + lang
			sound := v.page("GET", page, nil, "Cookie", cookies)
			if sound.Code != 200 || sound.Header().Get("Content-Type") != "audio/wav" || sound.Header().Get("Content-Language") != lang {
				t.Fatalf("%d, %v", sound.Code, sound.Header())
			}
			if heard := listen(t, sound.Body.Bytes(), lang); heard != code {
				t.Errorf("in %s: heard %s, seen %s", lang, heard, code)
			}
			again := v.page("GET", page, nil, "Cookie", cookies)
			byAPI := v.do("GET", api, "", "Accept-Language", lang)
			if !bytes.Equal(again.Body.Bytes(), sound.Body.Bytes()) || !bytes.Equal(byAPI.Body.Bytes(), sound.Body.Bytes()) {
				t.Error("it sounds otherwise the second time: many of them together would tell more than one")
			}
		}
		for _, what := range []string{"/sound", "/picture"} {
			if a := w.page("GET", "/portal/captcha/"+id+what, nil); a.Code != 404 {
				t.Errorf("somebody else's %s: %d", what, a.Code)
			}
		}
		w.do("GET", api, "").want(t, 404, "not_found")
		visitor{t: t, portal: p, address: v.address}.do("GET", api, "").want(t, 401, "unauthenticated")
		v.ask(stranger, id, code).want(t, 200, "") // the same code, used up by the same try
		if a := v.page("GET", page, nil); a.Code != 404 {
			t.Errorf("a used one is heard: %d", a.Code)
		}
		v.do("GET", api, "").want(t, 404, "not_found")
	}
}

// Of a WAV file of the portal's.
const (
	wavHeader = 44
	beat      = 80 // samples: 10 ms
)

// listen tells words apart by the quiet between them, and takes each for the digit that it is most like.
func listen(t *testing.T, file []byte, lang string) (heard string) {
	t.Helper()
	words := map[string][]float64{}
	for digit := '1'; digit <= '9'; digit++ {
		for _, voice := range []string{"f", "m"} {
			said, err := os.ReadFile(fmt.Sprintf("spoken/%s-%s-%c.wav", lang, voice, digit))
			if err != nil {
				t.Fatal(err)
			}
			words[voice+string(digit)] = wave(said)
		}
	}
	all := wave(file)
	first, quiet := -1, 0
	for at := 0; at+beat <= len(all); at += beat {
		loud := 0.0
		for _, sample := range all[at : at+beat] {
			loud += math.Abs(sample)
		}
		if loud/beat > 12 {
			if quiet = 0; first < 0 {
				first = at
			}
			continue
		}
		if quiet++; first >= 0 && quiet == 50 { // half a second
			heard += mostLike(all[max(0, first-20*beat):at], words)
			first = -1
		}
	}
	return heard
}

func wave(file []byte) []float64 {
	samples := make([]float64, 0, len(file)-wavHeader)
	for _, sample := range file[wavHeader:] {
		samples = append(samples, float64(sample)-128)
	}
	return samples
}

// mostLike is the digit of the word that is found in what was heard with the least left over.
func mostLike(heard []float64, words map[string][]float64) string {
	best, like := "?", 0.0
	for word, said := range words {
		for lag := 0; lag < 24*beat && lag+len(said) <= len(heard); lag++ {
			if c := alike(heard[lag:], said); c > like {
				best, like = word[1:], c
			}
		}
	}
	return best
}

// alike is the correlation of what was heard with a word, 1 where they differ in loudness alone. Every eighth sample is
// enough to tell.
func alike(heard, said []float64) float64 {
	var both, one, other float64
	for i := 0; i < len(said); i += 8 {
		both, one, other = both+heard[i]*said[i], one+heard[i]*heard[i], other+said[i]*said[i]
	}
	return both / math.Sqrt(one*other+1)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		err           error
		status        int
		code, inWords string
	}{
		"somebody else's": {no{"payer_mismatch", ""}, 404, "not_found", "no such thing"},
		"unknown":         {no{"unknown_request", ""}, 404, "not_found", "no such thing"},
		"at the bank":     {no{"already_refunded", "bank"}, 409, "already_refunded", "through the bank"},
		"here":            {no{"already_refunded", "portal"}, 409, "already_refunded", "on the portal"},
		"used":            {no{"fee_consumed", ""}, 409, "fee_consumed", "used fee"},
		"another amount":  {no{"amount_changed", ""}, 409, "amount_changed", "Nothing was refunded"},
		"never":           {no{"service_not_refundable", ""}, 422, "service_not_refundable", "never given back"},
		"no disk":         {errors.New("the disk is gone"), 503, "try_again", "Try again"},
	} {
		t.Run(name, func(t *testing.T) {
			v := come(t, open(book{err: c.err}), "p03")
			a := v.do("POST", "/portal/api/refunds", `{"request_id":"rq-p03-1"}`, "Accept-Language", "en").want(t, c.status, c.code)
			var p map[string]any
			a.json(t, &p)
			if a.Header().Get("Content-Type") != "application/problem+json" || p["type"] != "urn:istirdad:problem:"+c.code ||
				p["status"] != float64(c.status) || p["instance"] != "/portal/api/refunds" || !strings.Contains(fmt.Sprint(p["detail"]), c.inWords) {
				t.Errorf("told: %s", a.Body)
			}
			inArabic := v.do("POST", "/portal/api/refunds", `{"request_id":"rq-p03-1"}`)
			if !regexp.MustCompile(`"detail":"\p{Arabic}`).Match(inArabic.Body.Bytes()) {
				t.Errorf("in Arabic: %s", inArabic.Body)
			}
			if page := v.page("POST", "/portal/refunds", url.Values{"request_id": {"rq-p03-1"}}); page.Code != c.status {
				t.Errorf("as a page: %d", page.Code)
			}
		})
	}
}

// TestRefusedConfirm: whoever confirms what can't be had any more is told why, above what there is now.
func TestRefusedConfirm(t *testing.T) {
	for _, refusal := range []no{{"amount_changed", ""}, {"already_refunded", "bank"}, {"fee_consumed", ""}} {
		v := come(t, open(book{confirm: refusal, paid: 3}), "p03")
		to := v.page("POST", "/portal/refunds", url.Values{"request_id": {"rq"}}).Header().Get("Location")
		a := v.page("POST", to+"/confirm", nil, "Cookie", "portal_session="+v.session+"; portal_language=en")
		page := a.Body.String()
		if a.Code != 409 || !strings.Contains(page, `role="alert"`) || strings.Count(page, `type="radio"`) != 3 ||
			!strings.Contains(page, `name="to" value="/portal/refunds"`) {
			t.Errorf("%s: %d %s", refusal.code, a.Code, page)
		}
	}
	v := come(t, open(book{paid: 3}), "p03")
	if a := v.page("POST", "/portal/refunds/PT-NONE/confirm", nil); a.Code != 404 || strings.Contains(a.Body.String(), "radio") {
		t.Errorf("of no refund: %d %s", a.Code, a.Body)
	}
}

// TestManyPayments: an employer's page stays one that a person can read, and the API tells all.
func TestManyPayments(t *testing.T) {
	for paid, shown := range map[int]int{0: 0, 100: 100, 10_000: 100} {
		v := come(t, open(book{paid: paid}), "p13")
		page := v.page("GET", "/portal/refunds", nil).Body.String()
		if n := strings.Count(page, `type="radio"`); n != shown || strings.Contains(page, "هذه أحدث مدفوعاتك") != (paid > shown) {
			t.Errorf("of %d payments the page shows %d", paid, n)
		}
		var all struct{ Items []any }
		if v.do("GET", "/portal/api/requests", "").want(t, 200, "").json(t, &all); len(all.Items) != paid {
			t.Errorf("of %d payments the API tells %d", paid, len(all.Items))
		}
	}
}

func TestMalformed(t *testing.T) {
	v := come(t, open(book{}), "p03")
	for _, path := range []string{"/portal/api/login", "/portal/api/balance", "/portal/api/refunds"} {
		for _, body := range []string{"", "1", "null", "[]", `{"id_number":1}`, `{"USERNAME":"p03"}`, `{"request_id":"a","request_id":"b"}`, `{"nothing":"known"}`, `{} {}`, "{\"username\":\"\xff\"}", strings.Repeat(" ", 20<<10) + "{}"} {
			v.do("POST", path, body).want(t, 400, "malformed_request")
		}
	}
	v.do("POST", "/portal/api/login", `{"username":"p03","password":"wrong"}`).want(t, 401, "unauthenticated")
	v.do("POST", "/portal/api/login", `{"username":"nobody","password":"istirdad"}`).want(t, 401, "unauthenticated")
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		v.do(method, "/portal/api/nothing", "").want(t, 404, "not_found")
	}
	v.do("PUT", "/portal/api/balance", "{}").want(t, 404, "not_found")
	v.do("POST", "/portal/api/refunds/PT-1/confirm", "").want(t, 404, "not_found")
	v.session = ""
	for path, method := range map[string]string{
		"/portal/api/captcha": "GET", "/portal/api/balance": "POST", "/portal/api/requests": "GET", "/portal/api/refunds": "POST",
		"/portal/api/refunds/PT-1/confirm": "POST",
	} {
		v.do(method, path, "{}").want(t, 401, "unauthenticated")
	}
}

// TestPagesKeepToThemselves: no script, nothing from elsewhere, no form from elsewhere, nobody sent elsewhere.
func TestPagesKeepToThemselves(t *testing.T) {
	v := come(t, open(book{}), "p03")
	for _, path := range []string{
		"/portal", "/portal/individuals", "/portal/inquiries", "/portal/inquiries/balance", "/portal/remaining",
		"/portal/remaining/individuals", "/portal/general", "/portal/refunds",
	} {
		for _, lang := range []string{"ar", "en"} {
			a := v.page("GET", path, nil, "Cookie", "portal_session="+v.session+"; portal_language="+lang)
			if a.Code != 200 || !strings.Contains(a.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: %d, %v", path, a.Code, a.Header())
			}
			if found := regexp.MustCompile(`<script|javascript:|style=|\son\w+=|(src|href|action)="[^/"]|="//|https?:`).FindString(a.Body.String()); found != "" {
				t.Errorf("%s has %q", path, found)
			}
			if arabic := regexp.MustCompile(`\p{Arabic}`).FindAllString(a.Body.String(), -1); lang == "en" && len(arabic) > len("العربية") {
				t.Errorf("%s in English has %d Arabic letters", path, len(arabic))
			}
		}
	}
	form := url.Values{"username": {"p03"}, "password": {"istirdad"}, "language": {"en"}}
	for _, path := range []string{"/portal/sign-in", "/portal/sign-out", "/portal/language", "/portal/refunds", "/portal/inquiries/balance"} {
		if a := v.page("POST", path, form, "Sec-Fetch-Site", "cross-site"); a.Code != 403 {
			t.Errorf("a form from elsewhere is taken at %s: %d", path, a.Code)
		}
	}
	for _, to := range []string{"https://elsewhere.example", "//elsewhere.example", "/portal/../x", `/portal\x`, "/portal//x", "/other"} {
		for _, path := range []string{"/portal/sign-in", "/portal/language"} {
			sent := maps.Clone(form)
			sent.Set("to", to)
			if a := v.page("POST", path, sent); a.Code != 303 || a.Header().Get("Location") != "/portal" {
				t.Errorf("%s sends to %q: %d %s", path, to, a.Code, a.Header().Get("Location"))
			}
		}
	}
	signedIn := v.page("POST", "/portal/sign-in", form).Header().Get("Set-Cookie")
	if !strings.Contains(signedIn, "HttpOnly") || !strings.Contains(signedIn, "SameSite=Lax") {
		t.Errorf("the cookie is %s", signedIn)
	}
	// Who isn't signed in is asked to be, in place.
	v.session = ""
	if a := v.page("GET", "/portal/general", nil); !strings.Contains(a.Body.String(), `name="to" value="/portal/general"`) {
		t.Errorf("without a session: %d %s", a.Code, a.Body)
	}
}
