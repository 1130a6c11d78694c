package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"image"
	"image/color"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/gateway/api"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/internal/saudi"
)

func page(t *testing.T, r gateway.Refund, bankName api.Text) string {
	t.Helper()
	printed, err := api.Printed(r, bankName, confirmedAt.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return string(printed)
}

var tags = regexp.MustCompile(`<[^>]*>`)

// read is what a person reads of a page.
func read(page string) string {
	_, body, _ := strings.Cut(page, "</style>")
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(body, " "))), " ") // NBSP is a space, too
}

// TestReceiptSays what domain.md §6.9 asks for, in both languages, with both calendars and in Riyadh's time.
func TestReceiptSays(t *testing.T) {
	printed := page(t, refundIn(t, gateway.Pending), api.Text{AR: "بنك المدينة", EN: "City Bank"})
	text := read(printed)
	for _, want := range []string{
		"بنك المدينة", "City Bank", "RFK5EWJTN6GVB8STYT",
		"12,650.00 ر.س", "12,650.00 SAR", "تجديد إقامة (سنة)", `Renew <Iqama> & "more", 12 months`,
		"هوية مقيم 2******015", "Iqama 2******015", "SA12 80** **** **** **** 0003",
		"قيد المعالجة", "Processing", bank.StateText(gateway.Pending).AR, bank.StateText(gateway.Pending).EN,
		"الخميس 5 مارس 2026 م، 23:59", "16 رمضان 1447 هـ", "Thursday, 5 March 2026, 23:59", "16 Ramadan 1447 AH",
		"الثلاثاء 10 مارس 2026 م", "21 رمضان 1447 هـ", "Tuesday, 10 March 2026", "21 Ramadan 1447 AH",
		"صدر هذا الإيصال في الجمعة 6 مارس 2026 م، 00:59", "Issued on Friday, 6 March 2026, 00:59",
		"الرسوم المستخدمة لا تسترد", "A used fee cannot be refunded",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it doesn't say %q:\n%s", want, text)
		}
	}
	// Programs find the same as in the API's other answers; digits are ASCII, and keep their order within Arabic.
	for _, want := range []string{
		`<data value="12650.00">`, `datetime="2026-03-10"`, `<data value="1447-09-21">`, `datetime="2026-03-05T23:59+03:00"`,
		`<bdi dir="ltr">RFK5EWJTN6GVB8STYT</bdi>`, `<bdi dir="ltr" class="number">SA12 80** **** **** **** 0003</bdi>`,
		`<bdi dir="ltr" class="number">2******015</bdi>`, `<html lang="ar" dir="rtl">`,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if found := regexp.MustCompile(`[٠-٩۰-۹]`).FindString(text); found != "" {
		t.Errorf("a digit is %s", found)
	}
	for _, never := range []string{"2900000015", "555608000000003", "0198f0c0"} {
		if strings.Contains(printed, never) {
			t.Errorf("it shows %s", never)
		}
	}
}

// TestReceiptOfEachState says how things stand and promises nothing that won't come.
func TestReceiptOfEachState(t *testing.T) {
	for _, state := range gateway.States() {
		r := refundIn(t, state)
		r.Reason = string(bank.FeeConsumed)
		text := read(page(t, r, api.Text{}))
		word := bank.StatusText(state.Status())
		if word.AR == "" || word.EN == "" || !strings.Contains(text, word.AR+" "+bank.StateText(state).AR) || !strings.Contains(text, word.EN+" "+bank.StateText(state).EN) {
			t.Errorf("%s: %s", state, text)
		}
		if promised := strings.Contains(text, "Promised by"); promised == state.Dead() {
			t.Errorf("%s: a date is promised: %t", state, promised)
		}
		refused := state == gateway.Rejected || state == gateway.Returned
		if told := strings.Contains(text, bank.FeeConsumed.Text().AR); told != refused {
			t.Errorf("%s: the reason is told: %t", state, told)
		}
	}
}

// TestReceiptOfLittle: without a bank's name, a beneficiary, or a year that the table of the Hijri calendar reaches.
func TestReceiptOfLittle(t *testing.T) {
	r := refundIn(t, gateway.Queued)
	r.Payment.Beneficiary, r.Payment.Amount = saudi.Party{}, 5
	r.Promised = saudi.Date{Year: 2040, Month: time.January, Day: 1}
	printed := page(t, r, api.Text{})
	for _, never := range []string{`class="bank`, "Beneficiary", "<data value=\"\">"} {
		if strings.Contains(printed, never) {
			t.Errorf("the page has %s", never)
		}
	}
	if text := read(printed); !strings.Contains(text, "0.05 SAR") || !strings.Contains(text, "Sunday, 1 January 2040 ") {
		t.Errorf("it says %s", text)
	}
}

// TestReceiptQR reads the drawing with another's eyes: what it holds is the reference and nothing else.
func TestReceiptQR(t *testing.T) {
	for n := range 200 {
		r := refundIn(t, gateway.Credited)
		r.Reference = gateway.Reference("80", fmt.Sprintf("REQ-%d", n), n)
		printed := page(t, r, api.Text{})
		bitmap, err := gozxing.NewBinaryBitmapFromImage(drawn(t, printed))
		if err != nil {
			t.Fatal(err)
		}
		got, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
		if err != nil {
			t.Fatalf("%s can't be read: %v", r.Reference, err)
		}
		if got.GetText() != r.Reference {
			t.Errorf("it holds %q, want %s", got.GetText(), r.Reference)
		}
	}
}

// drawn paints the page's SVG, eight dots a module, by the two commands that its path is made of.
func drawn(t *testing.T, page string) image.Image {
	t.Helper()
	found := regexp.MustCompile(`(?s)<svg class="qr".*?</svg>`).FindString(page)
	var svg struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(found), &svg); err != nil {
		t.Fatal(err)
	}
	var side int
	if _, err := fmt.Sscanf(svg.ViewBox, "0 0 %d", &side); err != nil || len(svg.Paths) != 2 {
		t.Fatalf("viewBox %q, %d paths: %v", svg.ViewBox, len(svg.Paths), err)
	}
	const dots = 8
	canvas := image.NewGray(image.Rect(0, 0, side*dots, side*dots))
	for i, path := range svg.Paths {
		ink := map[string]color.Gray{"#fff": {255}, "#000": {0}}[path.Fill]
		for part := range strings.SplitSeq(strings.TrimSuffix(path.D, "z"), "z") {
			var x, y, w, h, back int
			form := "M%d %dh%dv%dh%d"
			if i == 0 { // all of it
				form, h = "M%d %dh%dv%dH%d", side
			}
			if _, err := fmt.Sscanf(part, form, &x, &y, &w, &h, &back); err != nil {
				t.Fatalf("%q: %v", part, err)
			}
			for dy := range h * dots {
				for dx := range w * dots {
					canvas.SetGray(x*dots+dx, y*dots+dy, ink)
				}
			}
		}
	}
	return canvas
}

// TestReceiptAsksNobody: the page runs nothing and fetches nothing, and its policy holds it to that and to its own style.
func TestReceiptAsksNobody(t *testing.T) {
	w := apitest.Start(t)
	d, c := doorOf(t, w), w.Customer("p03")
	c.Prove()
	preview := c.Preview("rq-p03-1").RefundID
	d.ask(ask{method: "GET", path: "/v1/refunds/" + preview + "/receipt", token: c.Token}).want(404, "not_found")
	c.Confirm(preview).Want(202)
	got := d.ask(ask{method: "GET", path: "/v1/refunds/" + preview + "/receipt", token: w.Customer("p03").Token}).want(200)
	printed := string(got.body)
	if found := regexp.MustCompile(`(?i)<(script|link|img|iframe|object|form|a)\b|\son\w+=|\sstyle=|url\(|@import|https?://[^w]`).FindString(printed); found != "" {
		t.Errorf("the page has %s", found)
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(printed, -1)
	if len(style) != 1 {
		t.Fatalf("%d styles", len(style))
	}
	digest := sha256.Sum256([]byte(style[0][1]))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if policy := got.Header.Get("Content-Security-Policy"); policy != want {
		t.Errorf("the policy is %s\nwant %s", policy, want)
	}
	if got.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", got.Header)
	}
	reference := c.Refund(preview).Reference
	if text := read(printed); !strings.Contains(text, reference) || !strings.Contains(text, "Sandbox bank") {
		t.Errorf("it says %s", text)
	}
	wellFormed(t, printed)
}

// wellFormed fails the test when an element isn't closed where it was opened.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity, d.AutoClose = xml.HTMLEntity, []string{"meta", "br"}
	d.Strict = false
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			open = append(open, e.Name.Local)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != e.Name.Local {
				t.Fatalf("</%s> within %v", e.Name.Local, open)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("never closed: %v", open)
	}
}
