package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// walkMax bounds a walk: an awkward core may need a while to settle, a polite one two seconds.
const walkMax = 5 * time.Minute

// Whom the walk is walked as: the happy path of an iqama renewal.
const (
	walker        = "p03"
	walkerID      = "٢٩٠٠٠٠٠٠١٥" // typed as people in Riyadh type
	walkerAccount = "555608000000003"
)

// walkPath walks path D of the product once, as the customer's bank would, over HTTP alone, and tells each step in
// Arabic and English with what it answered. It returns nil when the money is in the account.
func walkPath(ctx context.Context, out io.Writer, urls sandbox.URLs) error {
	ctx, cancel := context.WithTimeout(ctx, walkMax)
	defer cancel()
	w := &walk{ctx: ctx, out: out, urls: urls}
	for _, step := range []struct {
		ar, en string
		do     func() error
	}{
		{"افتح موقع البنك", "Open the bank's site", w.open},
		{"سجّل الدخول", "Sign in as the customer", w.signIn},
		{"افتح الملف الشخصي", "Open the profile", w.askForCode},
		{"أدخل الرمز المؤقت الذي وصلك برسالة", "Enter the one-time code from the SMS", w.enterCode},
		{"اختر المدفوعات", "Choose payments", w.payments},
		{"ثم المدفوعات الإلكترونية", "Then e-payments", w.services},
		{"اضغط الخدمة التي تريد استرداد رسومها", "Press the service whose fee is to come back", w.service},
		{"اختر الطلب", "Select the request", w.request},
		{"أدخل رقم الحساب ورقم الهوية", "Enter the account number and the ID number", w.enter},
		{"استمرار", "Continue", w.preview},
		{"تأكيد", "Confirm", w.confirm},
	} {
		w.step++
		fmt.Fprintf(out, "\n%2d  %s · %s\n", w.step, step.en, step.ar)
		if err := w.patiently(step.do); err != nil {
			return fmt.Errorf("step %d: %w", w.step, err)
		}
	}
	return w.settle()
}

type walk struct {
	ctx  context.Context //nolint:containedctx // a walk lasts as long as its context
	out  io.Writer
	urls sandbox.URLs
	step int

	token     string
	challenge string
	chosen    struct {
		service, request string
	}
	form     map[string]string
	refundID string
}

// patiently does what a person does who is told to try again shortly.
func (w *walk) patiently(do func() error) error {
	for {
		err := do()
		var refusal *problem
		if !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable {
			return err
		}
		w.say("%s; again", refusal)
		select {
		case <-w.ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func (w *walk) say(format string, args ...any) { fmt.Fprintf(w.out, "      "+format+"\n", args...) }

type text struct{ AR, EN string }

func (t text) String() string { return t.EN + " · " + t.AR }

type sum struct{ Amount, Currency string }

func (s sum) String() string { return s.Currency + " " + s.Amount }

func (w *walk) open() error {
	var found struct{ Issuer string }
	if err := w.call(http.MethodGet, w.urls.Bank+"/.well-known/openid-configuration", nil, &found); err != nil {
		return err
	}
	w.say("the bank answers, and says that %s signs people in", found.Issuer)
	return nil
}

func (w *walk) signIn() error {
	form := url.Values{"grant_type": {"password"}, "username": {walker}, "password": {sandbox.Password}}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.urls.Bank+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var granted struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := w.do(req, &granted); err != nil {
		return err
	}
	w.token = granted.AccessToken
	w.say("signed in as %s, for %d minutes", walker, granted.ExpiresIn/60)
	return nil
}

// askForCode opens the profile, is told that a code is needed, and asks for one.
func (w *walk) askForCode() error {
	err := w.call(http.MethodGet, w.urls.Gateway+"/v1/profile", nil, nil)
	var refusal *problem
	if !errors.As(err, &refusal) || refusal.Code != "step_up_required" {
		return fmt.Errorf("the profile didn't ask for a code: %w", err)
	}
	w.say("the bank asks for a code first: %s", err)
	var challenge struct {
		ChallengeID string `json:"challenge_id"`
		SentTo      string `json:"sent_to"`
		Digits      int
	}
	err = w.call(http.MethodPost, w.urls.Gateway+"/v1/otp/challenges", map[string]string{"purpose": "profile"}, &challenge)
	if err != nil {
		return err
	}
	w.challenge = challenge.ChallengeID
	w.say("a code of %d digits is on its way to %s", challenge.Digits, challenge.SentTo)
	return nil
}

var codeInSMS = regexp.MustCompile(`:(\d{4,8})\n`)

func (w *walk) enterCode() error {
	var profile struct {
		Name     text
		Mobile   string
		Accounts []struct{ IBAN string }
	}
	var inbox struct {
		Items []struct{ Sender, Text string }
	}
	if err := w.call(http.MethodGet, w.urls.Control+"/phone/messages?to=%2B966500000003", nil, &inbox); err != nil {
		return err
	}
	if len(inbox.Items) == 0 {
		return fmt.Errorf("no SMS arrived")
	}
	sms := inbox.Items[0]
	w.say("SMS from %s:", sms.Sender)
	for line := range strings.Lines(sms.Text) {
		w.say("  | %s", strings.TrimRight(line, "\n"))
	}
	found := codeInSMS.FindStringSubmatch(sms.Text)
	if found == nil {
		return fmt.Errorf("no code in the SMS")
	}
	err := w.call(http.MethodPost, w.urls.Gateway+"/v1/otp/challenges/"+w.challenge+"/verify", map[string]string{"code": found[1]}, nil)
	if err != nil {
		return err
	}
	if err := w.call(http.MethodGet, w.urls.Gateway+"/v1/profile", nil, &profile); err != nil {
		return err
	}
	w.say("the code is right; the profile opens: %s, mobile %s", profile.Name, profile.Mobile)
	return nil
}

type menu struct {
	Items []struct {
		ID   string
		Name text
	}
}

func (w *walk) payments() error {
	var entries menu
	if err := w.call(http.MethodGet, w.urls.Gateway+"/v1/payments", nil, &entries); err != nil {
		return err
	}
	for _, e := range entries.Items {
		w.say("%s", e.Name)
	}
	return nil
}

func (w *walk) services() error {
	var services struct {
		Items []struct {
			Service         string
			Name, Sector    text
			RefundableCount int `json:"refundable_count"`
			RefundableTotal sum `json:"refundable_total"`
		}
	}
	if err := w.call(http.MethodGet, w.urls.Gateway+"/v1/payments/e-payments", nil, &services); err != nil {
		return err
	}
	for _, s := range services.Items {
		w.say("%s  %s (%s): %d refundable, %s", s.Service, s.Name, s.Sector, s.RefundableCount, s.RefundableTotal)
		if w.chosen.service == "" && s.RefundableCount > 0 {
			w.chosen.service = s.Service
		}
	}
	if w.chosen.service == "" {
		return fmt.Errorf("nothing can come back; POST %s/reset puts the sandbox back to its start", w.urls.Control)
	}
	return nil
}

func (w *walk) service() error {
	var requests struct {
		Items []struct {
			RequestID  string `json:"request_id"`
			Name       text
			Amount     sum
			Refundable bool
			ReasonText *text `json:"reason_text"`
		}
	}
	err := w.call(http.MethodGet, w.urls.Gateway+"/v1/payments/e-payments/"+w.chosen.service+"/requests", nil, &requests)
	if err != nil {
		return err
	}
	for _, r := range requests.Items {
		answer := "can come back"
		if r.ReasonText != nil {
			answer = r.ReasonText.String()
		}
		w.say("%s  %s, %s: %s", r.RequestID, r.Name, r.Amount, answer)
		if w.chosen.request == "" && r.Refundable {
			w.chosen.request = r.RequestID
		}
	}
	return nil
}

func (w *walk) request() error {
	w.say("%s", w.chosen.request)
	return nil
}

func (w *walk) enter() error {
	w.form = map[string]string{"request_id": w.chosen.request, "account_number": walkerAccount, "id_number": walkerID}
	w.say("account %s, ID %s", walkerAccount, walkerID)
	return nil
}

func (w *walk) preview() error {
	var preview struct {
		RefundID        string `json:"refund_id"`
		Name            text
		Amount          sum
		ToAccount       string `json:"to_account"`
		PromisedBy      string `json:"promised_by"`
		PromisedByHijri string `json:"promised_by_hijri"`
		ConfirmRequires string `json:"confirm_requires"`
	}
	if err := w.call(http.MethodPost, w.urls.Gateway+"/v1/refunds", w.form, &preview); err != nil {
		return err
	}
	w.refundID = preview.RefundID
	w.say("%s: %s back to %s, by %s (%s)", preview.Name, preview.Amount, preview.ToAccount, preview.PromisedBy, preview.PromisedByHijri)
	if preview.ConfirmRequires != "none" {
		return fmt.Errorf("the bank asks for a code to confirm")
	}
	return nil
}

func (w *walk) confirm() error {
	var receipt struct{ Reference, Status string }
	if err := w.call(http.MethodPost, w.urls.Gateway+"/v1/refunds/"+w.refundID+"/confirm", nil, &receipt); err != nil {
		return err
	}
	w.say("recorded: reference %s, %s", receipt.Reference, receipt.Status)
	return nil
}

// settle watches the refund until the money is in the account.
func (w *walk) settle() error {
	fmt.Fprintf(w.out, "\n    What became of it · ما الذي حدث بعد ذلك\n")
	told := 0
	for {
		var refund struct {
			Status, State string
			Timeline      []struct {
				At    time.Time
				State string
				Text  text
			}
		}
		if err := w.call(http.MethodGet, w.urls.Gateway+"/v1/refunds/"+w.refundID, nil, &refund); err != nil {
			return err
		}
		for ; told < len(refund.Timeline); told++ {
			step := refund.Timeline[told]
			w.say("%s  %-12s %s", step.At.Format("15:04:05.000"), step.State, step.Text)
		}
		switch refund.Status {
		case "completed":
			return nil
		case "processing":
		default:
			return fmt.Errorf("the refund ended %s", refund.State)
		}
		select {
		case <-w.ctx.Done():
			return fmt.Errorf("not credited in time: %w", w.ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// problem is a refusal as a person reads it.
type problem struct {
	Status              int
	Code, Title, Detail string
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s (%s)", p.Status, p.Code, p.Detail) }

func (w *walk) call(method, address string, body map[string]string, answer any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(w.ctx, method, address, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Language", "en")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "walk-"+w.chosen.request)
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	return w.do(req, answer)
}

func (w *walk) do(req *http.Request, answer any) error {
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		p := &problem{}
		if err := json.NewDecoder(resp.Body).Decode(p); err != nil {
			return fmt.Errorf("%s answered %s", req.URL.Path, resp.Status)
		}
		return p
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
