package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"rsc.io/qr"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
)

var (
	//go:embed receipt.html
	receiptHTML string
	//go:embed receipt.css
	receiptCSS string

	receiptPage = template.Must(template.New("receipt").Parse(receiptHTML))
	// receiptPolicy lets the page have its own style and nothing else: it runs nothing, asks for nothing and is shown
	// within nobody else's page.
	receiptPolicy = "default-src 'none'; style-src 'sha256-" + digestOf(receiptCSS) + "'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func digestOf(style string) string {
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// getReceipt is a refund on paper.
func (s *server) getReceipt() {
	show := op("get-receipt", http.MethodGet, "/v1/refunds/{refund_id}/receipt", "A refund to print", "Refunds").
		says("One page, A4 or a phone's, in Arabic and English side by side. Numbers are masked as everywhere; the QR code holds the "+
			"reference and nothing else. A preview has no receipt.").
		refuses("not_found").
		shows(
			example{
				name: "completed", summary: "The money is in the account", as: "p03", with: map[string]string{"refund_id": sampleRefundID},
				answer: "<!doctype html>\n<html lang=\"ar\" dir=\"rtl\">\n…",
			},
			example{
				name: "not-theirs", summary: "Somebody else's, or one that never was", as: "p06", with: map[string]string{"refund_id": sampleRefundID},
				refused: bank.ErrNotFound,
			},
		)
	show.Responses = map[string]*huma.Response{"200": {
		Description: "A page without scripts that asks nobody for anything.",
		Headers: map[string]*huma.Header{"Content-Security-Policy": {
			Description: "The page's own style and nothing else.", Schema: &huma.Schema{Type: huma.TypeString},
		}},
		Content: map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	route(s, show, func(ctx context.Context, c bank.Caller, in *WithID) (*streamed, error) {
		refund, err := s.Path.Refund(ctx, c, in.RefundID)
		if err != nil {
			return nil, err
		}
		page, err := printed(refund, Text(s.Path.Terms().Brand.Bank), time.Now())
		if err != nil {
			return nil, err
		}
		return &streamed{func(h huma.Context) {
			h.SetHeader("Content-Type", "text/html; charset=utf-8")
			h.SetHeader("Content-Security-Policy", receiptPolicy)
			h.SetHeader("Referrer-Policy", "no-referrer")
			h.SetStatus(http.StatusOK)
			_, _ = h.BodyWriter().Write(page) // whoever doesn't listen any more needs no answer
		}}, nil
	})
}

// printed is the receipt of a refund as it stands now.
func printed(r gateway.Refund, bankName Text, now time.Time) ([]byte, error) {
	p, err := paperOf(r, bankName, now)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := receiptPage.Execute(&page, p); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return page.Bytes(), nil
}

// paper is what a receipt says, ready to be printed.
type paper struct {
	Style       template.CSS
	Bank        Text
	Reference   string
	QR          square
	Amount      figure
	Service     Text
	Beneficiary *named // nil: nobody is named
	Account     string
	Status      Text
	State       Text
	Reason      *Text
	Confirmed   day
	Promised    *day // nil: no money will come
	Printed     day
}

// figure is an amount, for programs and for people.
type figure struct{ Plain, Grouped string }

// named is a party, masked.
type named struct {
	Kind   Text
	Number string
}

// kindNames say what a number identifies.
var kindNames = map[saudi.Kind]Text{
	saudi.KindNationalID:    {AR: "هوية وطنية", EN: "National ID"},
	saudi.KindIqama:         {AR: "هوية مقيم", EN: "Iqama"},
	saudi.KindBorder:        {AR: "رقم حدود", EN: "Border number"},
	saudi.KindEstablishment: {AR: "الرقم الموحد للمنشأة", EN: "Establishment's unified number"},
	saudi.KindVehicle:       {AR: "الرقم التسلسلي للمركبة", EN: "Vehicle's sequence number"},
}

func paperOf(r gateway.Refund, bankName Text, now time.Time) (paper, error) {
	code, err := squareOf(r.Reference)
	if err != nil {
		return paper{}, err
	}
	status := r.State.Status()
	p := paper{
		Style: template.CSS(receiptCSS), //nolint:gosec // it is a file of ours, and what the policy allows is its digest
		Bank:  bankName, Reference: r.Reference, QR: code,
		Amount:  figure{r.Payment.Amount.String(), grouped(r.Payment.Amount.String())},
		Service: Text(r.Payment.Name), Account: r.To.Masked(),
		Status: Text(bank.StatusText(status)), State: Text(bank.StandText(r)), Reason: itemOf(r).ReasonText.Value,
		Confirmed: dayOf(r.CreatedAt), Printed: dayOf(now),
	}
	if kind := r.Payment.Beneficiary.Kind(); kind != "" {
		p.Beneficiary = &named{kindNames[kind], r.Payment.Beneficiary.Masked()}
	}
	if !r.State.Dead() {
		promised := dayOf(r.Promised.At(0, 0))
		p.Promised = &promised
	}
	return p, nil
}

// grouped writes 12000.00 as people read it: 12,000.00.
func grouped(amount string) string {
	riyals, halalas, _ := strings.Cut(amount, ".")
	for i := len(riyals) - 3; i > 0; i -= 3 {
		riyals = riyals[:i] + "," + riyals[i:]
	}
	return riyals + "." + halalas
}

// day is a moment in Riyadh, in both calendars and both languages. Its digits are ASCII in both; a year isn't parted from
// its era.
type day struct {
	Date  string // 2026-03-10
	Clock string // 09:10
	Text  Text
	Hijri string // 1447-09-21; empty for a day that the calendar's table doesn't reach
	Umm   Text   // the same, in words
}

func dayOf(t time.Time) day {
	date := saudi.DateOf(t)
	weekday, month := weekdays[date.Weekday()], months[date.Month-1]
	d := day{
		Date: date.String(), Clock: t.In(saudi.Riyadh).Format("15:04"),
		Text: Text{
			AR: fmt.Sprintf("%s %d %s %d\u00a0م", weekday.AR, date.Day, month.AR, date.Year),
			EN: fmt.Sprintf("%s, %d %s %d", weekday.EN, date.Day, month.EN, date.Year),
		},
	}
	if h, ok := date.Hijri(); ok {
		month := hijriMonths[h.Month-1]
		d.Hijri = h.String()
		d.Umm = Text{
			AR: fmt.Sprintf("%d %s %d\u00a0هـ", h.Day, month.AR, h.Year),
			EN: fmt.Sprintf("%d %s %d\u00a0AH", h.Day, month.EN, h.Year),
		}
	}
	return d
}

var (
	weekdays = [7]Text{
		{AR: "الأحد", EN: "Sunday"}, {AR: "الاثنين", EN: "Monday"}, {AR: "الثلاثاء", EN: "Tuesday"},
		{AR: "الأربعاء", EN: "Wednesday"}, {AR: "الخميس", EN: "Thursday"}, {AR: "الجمعة", EN: "Friday"},
		{AR: "السبت", EN: "Saturday"},
	}
	months = [12]Text{
		{AR: "يناير", EN: "January"}, {AR: "فبراير", EN: "February"}, {AR: "مارس", EN: "March"},
		{AR: "أبريل", EN: "April"}, {AR: "مايو", EN: "May"}, {AR: "يونيو", EN: "June"},
		{AR: "يوليو", EN: "July"}, {AR: "أغسطس", EN: "August"}, {AR: "سبتمبر", EN: "September"},
		{AR: "أكتوبر", EN: "October"}, {AR: "نوفمبر", EN: "November"}, {AR: "ديسمبر", EN: "December"},
	}
	hijriMonths = [12]Text{
		{AR: "محرم", EN: "Muharram"}, {AR: "صفر", EN: "Safar"}, {AR: "ربيع الأول", EN: "Rabi al-Awwal"},
		{AR: "ربيع الآخر", EN: "Rabi al-Thani"}, {AR: "جمادى الأولى", EN: "Jumada al-Ula"},
		{AR: "جمادى الآخرة", EN: "Jumada al-Akhirah"}, {AR: "رجب", EN: "Rajab"}, {AR: "شعبان", EN: "Shaban"},
		{AR: "رمضان", EN: "Ramadan"}, {AR: "شوال", EN: "Shawwal"}, {AR: "ذو القعدة", EN: "Dhu al-Qadah"},
		{AR: "ذو الحجة", EN: "Dhu al-Hijjah"},
	}
)

// square is a QR code as the path of an SVG, a module a unit, so that it prints crisp at any size.
type square struct {
	Side int // in modules, the quiet zone around it included
	Path string
}

// quiet is how many modules must be blank on each side (ISO/IEC 18004).
const quiet = 4

// squareOf draws a text of which a sixth may be soiled and it is read all the same (level M).
func squareOf(text string) (square, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return square{}, fmt.Errorf("receipt: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if run := x - from; run > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, run, run)
			}
		}
	}
	return square{Side: code.Size + 2*quiet, Path: path.String()}, nil
}
