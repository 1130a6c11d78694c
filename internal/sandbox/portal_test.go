package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/child"
	"github.com/istirdad/istirdad/internal/saudi"
)

// citizen is somebody who is signed in at the government's portal, by its API.
type citizen struct {
	t       testing.TB
	w       *banktest.World
	client  *http.Client
	session string
}

// told is an answer of the portal.
type told struct {
	status int
	header http.Header
	body   string
}

func (a told) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

func (a told) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p)
	return p.Code
}

func (a told) want(t testing.TB, status int, code string) told {
	t.Helper()
	if a.status != status || a.code() != code {
		t.Fatalf("%d %s, want %d %s: %s", a.status, a.code(), status, code, a.body)
	}
	return a
}

// is fails the test unless the answer has just these fields.
func (a told) is(t testing.TB, status int, want any) told {
	t.Helper()
	a.want(t, status, "")
	var got any
	a.json(t, &got)
	for _, d := range differences("", got, want) {
		t.Errorf("%s\nin %s", d, a.body)
	}
	return a
}

// atPortal signs somebody in.
func atPortal(t testing.TB, w *banktest.World, user string) *citizen {
	t.Helper()
	c := &citizen{t: t, w: w, client: &http.Client{Timeout: 30 * time.Second}}
	var granted struct{ Session string }
	c.do(http.MethodPost, "/portal/api/login", object{"username": user, "password": banktest.Password}).want(t, 200, "").json(t, &granted)
	c.session = granted.Session
	return c
}

// from is the same session, seen from another address of this machine.
func (c *citizen) from(address net.IP) *citizen {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: address}}
	there := *c
	there.client = &http.Client{Timeout: c.client.Timeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, to)
		},
	}}
	return &there
}

func (c *citizen) do(method, path string, body any, header ...string) told {
	c.t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.w.URLs().Core+path, bytes.NewReader(sent))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Portal-Session", c.session)
	for pair := range slices.Chunk(header, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	answer, err := c.client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if answer.Header.Get("Refund-Core") != "sandbox" || answer.Header.Get("Cache-Control") != "no-store" {
		c.t.Errorf("%s %s answers with %v", method, path, answer.Header)
	}
	return told{answer.StatusCode, answer.Header, string(read)}
}

// see asks for a picture and has the control listener say what is on it.
func (c *citizen) see() (id, code string) {
	c.t.Helper()
	var picture struct {
		CaptchaID string `json:"captcha_id"`
		Image     string `json:"image"`
	}
	c.do(http.MethodGet, "/portal/api/captcha", nil).want(c.t, 200, "").json(c.t, &picture)
	if !strings.HasPrefix(picture.Image, "data:image/png;base64,") {
		c.t.Errorf("the picture is %.30s…", picture.Image)
	}
	return picture.CaptchaID, seen(c.t, c.w, picture.CaptchaID)
}

func seen(t testing.TB, w *banktest.World, captchaID string) string {
	t.Helper()
	var says struct{ Captcha string }
	w.Control(http.MethodGet, "/portal/captcha?id="+captchaID, nil).Want(200).JSON(&says)
	return says.Captcha
}

// ask is an inquiry with a picture code.
func (c *citizen) ask(number string) told {
	c.t.Helper()
	id, code := c.see()
	return c.do(http.MethodPost, "/portal/api/balance", object{"id_number": number, "captcha_id": id, "captcha": code})
}

// balance is the answer to an inquiry: all six buckets, in their order, and the total.
func balance(kind, number, total string, amounts object) object {
	buckets := array{}
	for _, b := range []struct{ id, ar, en string }{
		{"passports", "رصيد الجوازات", "Passports Deposit"}, {"sponsorees", "رصيد المكفولين", "Sponsorees Deposit"},
		{"vehicles", "رصيد المركبات", "Vehicles Deposit"}, {"driving_license", "رصيد رخص القيادة", "Driving License Deposit"},
		{"labour", "رصيد العمالة", "Labour Deposit"}, {"civil", "رصيد الأحوال المدنية", "Civil Affairs Deposit"},
	} {
		amount := "0.00"
		if is, some := amounts[b.id].(string); some {
			amount = is
		}
		buckets = append(buckets, object{"bucket": b.id, "name": object{"ar": b.ar, "en": b.en}, "amount": riyals(amount)})
	}
	return object{"id": object{"kind": kind, "number": number}, "buckets": buckets, "total": riyals(total)}
}

// TestPathA: balance by iqama number, on the government's portal.
func TestPathA(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	t.Run("api", func(t *testing.T) {
		c := atPortal(t, w, "p09")
		want := balance("iqama", "2******072", "1150.00", object{"passports": "650.00", "sponsorees": "500.00"})
		c.do(http.MethodPost, "/portal/api/balance", object{"id_number": "2900000072"}).is(t, 200, want)
		c.do(http.MethodPost, "/portal/api/balance", object{"id_number": "٢٩٠٠ ٠٠٠٠-٧٢"}).is(t, 200, want)
		// Somebody else's number wants the picture code, whoever asks.
		c.do(http.MethodPost, "/portal/api/balance", object{"id_number": "2900000015"}).want(t, 422, "captcha_wrong")
		c.ask("2900000015").is(t, 200, balance("iqama", "2******015", "650.00", object{"passports": "650.00"}))
	})
	inBothLanguages(t, w, func(t *testing.T, r *reader) {
		r.follow("الأفراد", "Individuals")
		r.signIn("p09")
		r.follow("الاستعلامات الإلكترونية", "Electronic inquiries")
		r.follow("الاستعلام عن رصيد المدفوعات", "Payments-balance inquiry")
		r.fill("id_number", "2900000072")
		r.press("عرض", "Show")
		r.says("رقم الإقامة 2******072", "Iqama number 2******072")
		r.says("رصيد الجوازات 650.00 رصيد المكفولين 500.00", "Passports Deposit 650.00 Sponsorees Deposit 500.00")
		r.says("إجمالي الرصيد المتاح 1,150.00", "Total Available Funds 1,150.00")
	})
}

// TestPathB: balance by ID number and picture code.
func TestPathB(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	t.Run("api", func(t *testing.T) {
		c := atPortal(t, w, "p01")
		own := balance("national_id", "1******017", "600.00", object{"passports": "600.00"})
		c.do(http.MethodPost, "/portal/api/balance", object{"id_number": "1900000017"}).want(t, 422, "captcha_wrong") // one's own too
		c.ask("1900000017").is(t, 200, own)
		id, code := c.see()
		typed := object{"id_number": "1900000017", "captcha_id": id, "captcha": eastern(code)}
		c.do(http.MethodPost, "/portal/api/balance", typed).is(t, 200, own)
		c.do(http.MethodPost, "/portal/api/balance", typed).want(t, 422, "captcha_wrong") // used
		w.Control(http.MethodGet, "/portal/captcha?id="+id, nil).Want(404)

		c.ask("1900000025").is(t, 200, balance("national_id", "1******025", "300.00", object{"vehicles": "300.00"}))
		c.ask("3900000001").is(t, 200, balance("border", "3******001", "100.00", object{"passports": "100.00"}))
		c.ask("7000000005").is(t, 200, balance("establishment", "7******005", "4000.00", object{"labour": "4000.00"}))
	})
	inBothLanguages(t, w, func(t *testing.T, r *reader) {
		r.follow("رصيد مدفوعات الخدمات المتبقي", "Remaining service-payments balance")
		r.follow("الأفراد", "Individuals")
		r.signIn("p01")
		r.fill("id_number", "3900000001")
		r.fill("captcha", "00000")
		r.press("عرض", "Show")
		r.says("الرمز المرئي غير صحيح", "The picture code is not right")
		r.fill("captcha", seen(t, w, r.field("captcha_id"))) // another picture; the number is still there
		r.press("عرض", "Show")
		r.says("رقم الحدود 3******001", "Border number 3******001")
		r.says("إجمالي الرصيد المتاح 100.00", "Total Available Funds 100.00")
	})
}

// TestPathC: refund on the government's portal.
func TestPathC(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	t.Run("api", func(t *testing.T) { pathCByAPI(t, w) })
	inBothLanguages(t, w, func(t *testing.T, r *reader) {
		r.follow("الأفراد", "Individuals")
		r.signIn("p03")
		r.follow("الاستعلام العام عن رصيد مدفوعات الخدمات المتبقي", "General inquiry on the remaining balance")
		r.says("إجمالي الرصيد المتاح 650.00", "Total Available Funds 650.00")
		r.follow("استرداد رصيد مدفوعات الخدمات المتبقي", "Refund of remaining service payments")
		r.fill("request_id", "rq-p03-1")
		r.press("استمرار", "Continue")
		for _, shown := range [][2]string{
			{"تجديد إقامة (سنة)", "Renew Iqama, 12 months"}, {"650.00", "650.00"}, {"رقم الإقامة 2******015", "Iqama number 2******015"},
			{"SA12 80** **** **** **** 0003", "SA12 80** **** **** **** 0003"}, {"رقم العملية PT-", "Operation number PT-"},
		} {
			r.says(shown[0], shown[1])
		}
		r.press("تأكيد", "Confirm")
		r.says("تمت عملية الاسترداد بنجاح", "The refund succeeded")
		r.follow("الاستعلام العام عن رصيد مدفوعات الخدمات المتبقي", "General inquiry on the remaining balance")
		r.says("إجمالي الرصيد المتاح 0.00", "Total Available Funds 0.00")
		r.follow("استرداد رصيد مدفوعات الخدمات المتبقي", "Refund of remaining service payments")
		r.says("مسترد أو قيد الاسترداد", "Refunded, or being refunded")
		wantTruth(t, w, "rq-p03-1", "portal")
	})
}

func pathCByAPI(t *testing.T, w *banktest.World) {
	c := atPortal(t, w, "p09")
	person := object{"kind": "iqama", "number": "2******072"}
	item := func(id, service, ar, en, amount string, reason any) object {
		return object{
			"request_id": id, "service": service, "name": object{"ar": ar, "en": en}, "beneficiary": person, "amount": riyals(amount),
			"paid_at": anInstant, "refundable": reason == nil, "reason": reason,
		}
	}
	paid := func(reason any) object {
		return object{"items": array{
			item("rq-p09-3", "090-003", "تجديد إقامة تابع", "Renew Iqama, family member", "500.00", nil),
			item("rq-p09-2", "090-058", "المقابل المالي لمرافق (٣ أشهر)", "Dependent fee, 3 months", "1200.00", "already_refunded"),
			item("rq-p09-1", "090-003", "تجديد إقامة (سنة)", "Renew Iqama, 12 months", "650.00", reason),
		}}
	}
	c.do(http.MethodGet, "/portal/api/requests", nil).is(t, 200, paid(nil))

	aRefund := like(`PT-[A-Z2-7]{26}`)
	begun := c.do(http.MethodPost, "/portal/api/refunds", object{"request_id": "rq-p09-1"}).is(t, 201, object{
		"id": aRefund, "request_id": "rq-p09-1", "service": "090-003", "name": iqamaYear, "amount": riyals("650.00"), "beneficiary": person,
	})
	var f struct{ ID string }
	begun.json(t, &f)
	c.do(http.MethodGet, "/portal/api/requests", nil).is(t, 200, paid(nil)) // nothing has happened yet
	done := object{"id": f.ID, "state": "refunded", "message": texts()}
	first := c.do(http.MethodPost, "/portal/api/refunds/"+f.ID+"/confirm", nil).is(t, 200, done)
	for _, again := range []*citizen{c, atPortal(t, w, "p09")} { // in another session too
		if a := again.do(http.MethodPost, "/portal/api/refunds/"+f.ID+"/confirm", object{}); a.status != 200 || a.body != first.body {
			t.Errorf("again: %d %s, before %s", a.status, a.body, first.body)
		}
	}
	c.do(http.MethodGet, "/portal/api/requests", nil).is(t, 200, paid("already_refunded"))
	wantTruth(t, w, "rq-p09-1", "portal")

	// Refused, each for its own reason. What others paid isn't there; neither is their refund.
	for user, requests := range map[string]map[string]string{
		"p09": {"rq-p09-1": "409 already_refunded", "rq-p09-2": "409 already_refunded", "rq-p03-1": "404 not_found", "rq-none": "404 not_found"},
		"p04": {"rq-p04-1": "409 fee_consumed"},
		"p05": {"rq-p05-1": "404 not_found"}, // benefits, and didn't pay
		"t01": {"rq-p01-1": "404 not_found"},
		"o01": {"rq-p01-1": "404 not_found"},
	} {
		somebody := atPortal(t, w, user)
		for request, want := range requests {
			a := somebody.do(http.MethodPost, "/portal/api/refunds", object{"request_id": request})
			if got := fmt.Sprint(a.status, " ", a.code()); got != want {
				t.Errorf("%s asks for %s: %s, want %s", user, request, got, want)
			}
		}
		if user != "p09" {
			somebody.do(http.MethodPost, "/portal/api/refunds/"+f.ID+"/confirm", nil).want(t, 404, "not_found")
		}
	}
	// And at the bank it is a refund that exists.
	p09 := w.Customer("p09")
	p09.Prove()
	p09.AskFor("rq-p09-1").Want(409, "refund_exists")
	if v := w.Exact(); v.Effects != 0 {
		t.Errorf("the referee counts the portal's refunds: %+v", v)
	}
}

// wantTruth: the request's money left once, on this channel.
func wantTruth(t *testing.T, w *banktest.World, request, channel string) {
	t.Helper()
	if got := truths(w)[request]; len(got) != 1 || got[0].Channel != channel || got[0].Released != 1 || got[0].Returned != 0 {
		t.Errorf("the truth of %s is %+v, want one release on the channel %s", request, got, channel)
	}
}

type truth struct {
	RequestID          string `json:"request_id"`
	Channel            string
	Released, Returned int
}

// truths are what the core accepted, by request.
func truths(w *banktest.World) map[string][]truth {
	var all struct{ Items []truth }
	w.Control(http.MethodGet, "/core/truth", nil).JSON(&all)
	by := map[string][]truth{}
	for _, one := range all.Items {
		by[one.RequestID] = append(by[one.RequestID], one)
	}
	return by
}

// TestPortalInABrowser walks the three paths in Chromium, without scripts, on a screen as wide as a phone's, in Arabic and in
// English (testdata/portal.mjs, which can also leave pictures).
func TestPortalInABrowser(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	const atMost = 5 * time.Minute // on a busy machine a browser takes a minute
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", "testdata/portal.mjs", w.URLs().Core, w.URLs().Control)
	cmd.Stdout, cmd.Stderr = &said, &said
	p, err := child.Start(cmd, nil, syscall.SIGKILL)
	if err != nil {
		t.Fatalf("%v: .ci/setup brings what it needs", err)
	}
	late := time.AfterFunc(atMost, func() { _ = p.Kill() })
	defer late.Stop()
	if err := p.Err(); err != nil || said.String() != "ar: A B C\nen: A B C\n" {
		t.Fatalf("%v\n%s", err, said.String())
	}
	wantTruth(t, w, "rq-p09-1", "portal")
}

// TestBothChannelsTogether: one payment is asked back at the bank and on the portal at once. The core decides for one of
// them, once, and the other is told why.
func TestBothChannelsTogether(t *testing.T) { everywhere(t, 200, bothChannels) }

func bothChannels(t *testing.T, w *banktest.World, rounds int) {
	all := crowd(w, 40*rounds, 1)
	atOnce, inEnglish := make([]told, len(all)), make([]told, len(all)) // what the portal answered, and to who asked again
	few := make(chan struct{}, 8)
	w.Together(len(all), func(i int, w *banktest.World) {
		few <- struct{}{}
		defer func() { <-few }()
		there := all[i].customer.In(w)
		c := atPortal(w.T(), w, there.User())
		var f struct{ ID string }
		request := fmt.Sprintf("rq-%s-1", there.User())
		c.do(http.MethodPost, "/portal/api/refunds", object{"request_id": request}).want(w.T(), 201, "").json(w.T(), &f)
		path := "/portal/api/refunds/" + f.ID + "/confirm"
		confirm := func() {
			atOnce[i] = c.do(http.MethodPost, path, nil)
			inEnglish[i] = c.do(http.MethodPost, path, nil, "Accept-Language", "en")
		}
		var here sync.WaitGroup
		if i%2 == 0 {
			here.Go(confirm) // while the bank takes the order
		}
		there.Insist(http.MethodPost, "/v1/refunds/"+all[i].refundID+"/confirm", nil).Want(202)
		if i%2 == 1 {
			if i%4 == 3 {
				for there.Refund(all[i].refundID).State == "queued" { // until a dispatcher has taken it up
					runtime.Gosched()
				}
			}
			confirm() // while the order travels to the core
		}
		here.Wait()
	})
	w.Settled(2 * time.Minute)
	won, effects := map[string]int{}, truths(w)
	for i, a := range all {
		user := a.customer.User()
		channel := wantOneWinner(t, user, a.customer.Do(http.MethodGet, "/v1/refunds/"+a.refundID, nil), atOnce[i], inEnglish[i])
		won[channel]++
		if got := effects["rq-"+user+"-1"]; len(got) != 1 || got[0].Channel != channel || got[0].Released != 1 {
			t.Errorf("%s: the core's book has %+v, won by %s", user, got, channel)
		}
	}
	if won["bank"] == 0 || won["portal"] == 0 {
		t.Errorf("that was no race: %v", won)
	}
	if v := w.Exact(); v.Confirmed != len(all) || v.Effects != won["bank"] || v.Unfinished != 0 {
		t.Errorf("of %v the referee says %+v", won, v)
	}
}

// wantOneWinner returns who got the money, and holds the loser's answer against what people are to be told.
func wantOneWinner(t *testing.T, user string, bank *banktest.Response, portal, inEnglish told) (channel string) {
	t.Helper()
	var refund struct {
		State, Status string
		Reason        any
		ReasonText    any `json:"reason_text"`
	}
	bank.Want(200).JSON(&refund)
	switch {
	case portal.status == 200 && refund.State == "rejected" && refund.Reason == "already_refunded":
		if d := differences("reason_text", refund.ReasonText, object{
			"ar": like(`.*البوابة الحكومية.* ولا يُسترد مرتين`), "en": like(`.*on the government's portal.* not given back twice`),
		}); d != nil {
			t.Errorf("%s: the bank's customer isn't told why: %v", user, d)
		}
		return "portal"
	case portal.status == 409 && portal.code() == "already_refunded" && refund.State == "credited":
		for says, in := range map[string]string{"عن طريق البنك، ولا يسترد مرتين": portal.body, "through the bank. It is not given back twice": inEnglish.body} {
			if !strings.Contains(in, says) {
				t.Errorf("%s: the portal doesn't say who was faster: %s", user, in)
			}
		}
		return "bank"
	}
	t.Errorf("%s: the portal answered %d %s, the bank's refund is %s, %v", user, portal.status, portal.body, refund.State, refund.Reason)
	return ""
}

// TestPortalTellsNobodyApart: people without money and people who don't exist are answered in the same bytes, but for the
// number that was typed; and who can't be told apart by one question can't be by many.
func TestPortalTellsNobodyApart(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := atPortal(t, w, "p01")
	answers := map[string][]string{}
	ask := func(kind, number string) {
		a := c.from(net.IPv4(127, 7, byte(len(answers[kind])/200), byte(1+len(answers[kind])%200))).ask(number)
		shown := number[:1] + "******" + number[7:]
		if a.status != 200 || !strings.Contains(a.body, shown) {
			t.Fatalf("%s: %d %s", kind, a.status, a.body)
		}
		h := maps.Clone(a.header)
		h.Del("Date")
		answers[kind] = append(answers[kind], fmt.Sprint(h, strings.ReplaceAll(a.body, shown, "?")))
	}
	ask("national_id", "1900000033") // p11, who has no balance
	ask("national_id", "1900000074") // t01, who never paid
	ask("iqama", "2900000023")       // p04, whose fee was used
	ask("iqama", "2900000049")       // p06, who pays for others
	for i := range 40 {              // nobody
		for first, kind := range map[string]string{"17": "national_id", "27": "iqama"} {
			first9 := fmt.Sprintf("%s%07d", first, i*7919)
			ask(kind, first9+string(saudi.CheckDigit(first9)))
		}
		ask("border", fmt.Sprintf("4%09d", i*104729))
		ask("establishment", fmt.Sprintf("7%09d", i*104729+9))
	}
	for kind, all := range answers {
		for _, one := range all {
			if one != all[0] {
				t.Fatalf("%s: told apart by\n%s\n%s", kind, one, all[0])
			}
		}
	}
}

// TestPortalLimits: whoever goes through numbers is cut off, whatever they do with the pictures; a reset lets them in.
func TestPortalLimits(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := atPortal(t, w, "p03")
	counts := map[string]int{}
	for i := range 10_000 {
		first9 := fmt.Sprintf("18%07d", i)
		a := c.do(http.MethodPost, "/portal/api/balance", object{"id_number": first9 + string(saudi.CheckDigit(first9)), "captcha_id": "x", "captcha": "1"})
		counts[fmt.Sprint(a.status, " ", a.code())]++
		if a.status == 429 && (a.header.Get("Retry-After") == "" || a.header.Get("Retry-After") == "0") {
			t.Fatalf("it doesn't say when to come back: %v", a.header)
		}
	}
	if counts["422 captcha_wrong"] != 100 || counts["429 rate_limited"] != 9900 {
		t.Errorf("10,000 inquiries from one source: %v", counts)
	}
	c.ask("1900000017").want(t, 429, "rate_limited") // with the right code, too
	c.do(http.MethodPost, "/portal/api/balance", object{"id_number": "2900000015"}).want(t, 200, "")
	c.from(net.IPv4(127, 8, 0, 1)).ask("1900000017").want(t, 200, "")
	w.Reset()
	c.do(http.MethodGet, "/portal/api/requests", nil).want(t, 401, "unauthenticated") // signed out
	atPortal(t, w, "p03").ask("1900000017").want(t, 200, "")
}

// TestPortalSurvivesARestart: what the portal said had succeeded is still so when the world comes up again, and the same
// confirm answers the same.
func TestPortalSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := apitest.Start(t, banktest.Dir(dir))
	c := atPortal(t, w, "p03")
	var f struct{ ID string }
	c.do(http.MethodPost, "/portal/api/refunds", object{"request_id": "rq-p03-1"}).want(t, 201, "").json(t, &f)
	said := c.do(http.MethodPost, "/portal/api/refunds/"+f.ID+"/confirm", nil).want(t, 200, "")
	w.Close()
	w = apitest.Start(t, banktest.Dir(dir))
	c.w = w
	c.do(http.MethodGet, "/portal/api/requests", nil).want(t, 401, "unauthenticated")
	again := atPortal(t, w, "p03").do(http.MethodPost, "/portal/api/refunds/"+f.ID+"/confirm", nil).want(t, 200, "")
	if again.body != said.body {
		t.Errorf("it said %s and says %s", said.body, again.body)
	}
	wantTruth(t, w, "rq-p03-1", "portal")
	w.Exact()
}

// TestPortalConfirmsWhatItShowed: the balance changes while somebody checks the data on the portal. Their confirm refunds
// nothing and says so; what they are shown then is what they get.
func TestPortalConfirmsWhatItShowed(t *testing.T) {
	t.Parallel()
	w := apitest.Start(t)
	c := atPortal(t, w, "p03")
	begin := func() (id, amount string) {
		var f struct {
			ID     string
			Amount struct{ Amount string }
		}
		c.do(http.MethodPost, "/portal/api/refunds", object{"request_id": "rq-p03-1"}).want(t, 201, "").json(t, &f)
		return f.ID, f.Amount.Amount
	}
	checked, was := begin()
	w.Fault(banktest.AmountChanged, banktest.OnSubmit, banktest.Count(1))
	p03 := w.Customer("p03")
	p03.Prove()
	preview := p03.Preview("rq-p03-1")
	p03.Confirm(preview.RefundID).Want(202)
	p03.Await(preview.RefundID, "rejected")

	for lang, says := range map[string]string{"ar": "لم يُسترد شيء", "en": "Nothing was refunded"} {
		a := c.do(http.MethodPost, "/portal/api/refunds/"+checked+"/confirm", nil, "Accept-Language", lang).want(t, 409, "amount_changed")
		if !strings.Contains(a.body, says) {
			t.Errorf("it doesn't say %s: %s", says, a.body)
		}
	}
	if got := truths(w)["rq-p03-1"]; got != nil {
		t.Fatalf("confirmed was %s, and refunded %+v", was, got)
	}
	again, is := begin()
	if is == was {
		t.Errorf("still shown are %s", is)
	}
	c.do(http.MethodPost, "/portal/api/refunds/"+again+"/confirm", nil).want(t, 200, "")
	wantTruth(t, w, "rq-p03-1", "portal")
}
