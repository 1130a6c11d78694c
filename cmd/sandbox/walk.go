package main

import (
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

	"github.com/istirdad/istirdad/gateway/client"
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

// walkPath walks path D of the product once, as the customer's bank would, with the client that it would use, and tells
// each step in Arabic and English with what it answered. It returns nil when the money is in the account.
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
		{"اضغط الخدمة التي تريد استرداد رسومها", "Press the service whose fee is to come back", w.requests},
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

	gateway   *client.Client // from the sign-in on
	challenge string
	service   string
	asked     client.Ask
	refundID  string
}

// patiently does what a person does who is told to try again shortly.
func (w *walk) patiently(do func() error) error {
	for {
		err := do()
		refusal, refused := errors.AsType[*client.Problem](err)
		if !refused || refusal.Status != http.StatusServiceUnavailable {
			return err
		}
		w.say("%s; again", inWords(refusal))
		select {
		case <-w.ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func (w *walk) say(format string, args ...any) { fmt.Fprintf(w.out, "      "+format+"\n", args...) }

func both(t client.Text) string { return t.EN + " · " + t.AR }

func inWords(p *client.Problem) string { return fmt.Sprintf("%d %s (%s)", p.Status, p.Code, p.Detail) }

func (w *walk) open() error {
	var found struct{ Issuer string }
	if err := w.fetch(w.urls.Bank+"/.well-known/openid-configuration", nil, &found); err != nil {
		return err
	}
	w.say("the bank answers, and says that %s signs people in", found.Issuer)
	return nil
}

func (w *walk) signIn() (err error) {
	var granted struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	form := url.Values{"grant_type": {"password"}, "username": {walker}, "password": {sandbox.Password}}
	if err := w.fetch(w.urls.Bank+"/token", form, &granted); err != nil {
		return err
	}
	w.say("signed in as %s, for %d minutes", walker, granted.ExpiresIn/60)
	w.gateway, err = client.New(w.urls.Gateway, client.Token(granted.AccessToken), client.English())
	return err
}

// askForCode opens the profile, is told that a code is needed, and asks for one.
func (w *walk) askForCode() error {
	_, err := w.gateway.Profile(w.ctx)
	refusal, refused := errors.AsType[*client.Problem](err)
	if !refused || refusal.Code != client.ErrStepUpRequired {
		return fmt.Errorf("the profile didn't ask for a code: %w", err)
	}
	w.say("the bank asks for a code first: %s", inWords(refusal))
	challenge, err := w.gateway.Challenge(w.ctx)
	if err != nil {
		return err
	}
	w.challenge = challenge.ChallengeID
	w.say("a code of %d digits is on its way to %s", challenge.Digits, challenge.SentTo)
	return nil
}

var codeInSMS = regexp.MustCompile(`:(\d{4,8})\n`)

func (w *walk) enterCode() error {
	var inbox struct {
		Items []struct{ Sender, Text string }
	}
	if err := w.fetch(w.urls.Control+"/phone/messages?to=%2B966500000003", nil, &inbox); err != nil {
		return err
	}
	if len(inbox.Items) == 0 {
		return errors.New("no SMS arrived")
	}
	sms := inbox.Items[0]
	w.say("SMS from %s:", sms.Sender)
	for line := range strings.Lines(sms.Text) {
		w.say("  | %s", strings.TrimRight(line, "\n"))
	}
	found := codeInSMS.FindStringSubmatch(sms.Text)
	if found == nil {
		return errors.New("no code in the SMS")
	}
	if _, err := w.gateway.Verify(w.ctx, w.challenge, found[1]); err != nil {
		return err
	}
	profile, err := w.gateway.Profile(w.ctx)
	if err != nil {
		return err
	}
	w.say("the code is right; the profile opens: %s, mobile %s", both(profile.Name), profile.Mobile)
	return nil
}

func (w *walk) payments() error {
	menu, err := w.gateway.Payments(w.ctx)
	if err != nil {
		return err
	}
	for _, entry := range menu.Items {
		w.say("%s", both(entry.Name))
	}
	return nil
}

func (w *walk) services() error {
	services, err := w.gateway.Services(w.ctx)
	if err != nil {
		return err
	}
	for _, s := range services {
		w.say("%s  %s (%s): %d refundable, SAR %s", s.Service, both(s.Name), both(s.Sector), s.RefundableCount, s.RefundableTotal)
		if w.service == "" && s.RefundableCount > 0 {
			w.service = s.Service
		}
	}
	if w.service == "" {
		return fmt.Errorf("nothing can come back; POST %s/reset puts the sandbox back to its start", w.urls.Control)
	}
	return nil
}

func (w *walk) requests() error {
	for r, err := range w.gateway.Requests(w.ctx, w.service) {
		if err != nil {
			return err
		}
		answer := "can come back"
		if !r.Refundable {
			answer = both(r.ReasonText)
		}
		w.say("%s  %s, SAR %s: %s", r.RequestID, both(r.Name), r.Amount, answer)
		if w.asked.RequestID == "" && r.Refundable {
			w.asked.RequestID = r.RequestID
		}
	}
	return nil
}

func (w *walk) request() error {
	w.say("%s", w.asked.RequestID)
	return nil
}

func (w *walk) enter() error {
	w.asked.AccountNumber, w.asked.IDNumber, w.asked.Key = walkerAccount, walkerID, "walk-"+w.asked.RequestID
	w.say("account %s, ID %s", walkerAccount, walkerID)
	return nil
}

func (w *walk) preview() error {
	p, err := w.gateway.Preview(w.ctx, w.asked)
	if err != nil {
		return err
	}
	w.refundID = p.RefundID
	w.say("%s: SAR %s back to %s, by %s (%s)", both(p.Name), p.Amount, p.ToAccount, p.PromisedBy, p.PromisedByHijri)
	if p.NeedsCode() {
		return errors.New("the bank asks for a code to confirm")
	}
	return nil
}

func (w *walk) confirm() error {
	receipt, err := w.gateway.Confirm(w.ctx, w.refundID)
	if err != nil {
		return err
	}
	w.say("recorded: reference %s, %s", receipt.Reference, receipt.Status)
	return nil
}

// settle follows the refund until the money is in the account.
func (w *walk) settle() error {
	fmt.Fprintf(w.out, "\n    What became of it · ما الذي حدث بعد ذلك\n")
	told := 0
	for now, err := range w.gateway.Events(w.ctx, w.refundID) {
		if err != nil {
			return fmt.Errorf("not credited in time: %w", err)
		}
		for ; told < len(now.Refund.Timeline); told++ {
			step := now.Refund.Timeline[told]
			w.say("%s  %-12s %s", step.At.Format("15:04:05.000"), step.State, both(step.Text))
		}
		if status := now.Refund.Status; status.Final() && status != client.Completed {
			return fmt.Errorf("the refund ended %s", now.Refund.State)
		}
	}
	return nil
}

// fetch asks what isn't the gateway: the bank's issuer and the phone. Without a form it is a GET.
func (w *walk) fetch(address string, form url.Values, answer any) error {
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	req, err := http.NewRequestWithContext(w.ctx, method, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
