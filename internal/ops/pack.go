package ops

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
)

// part is one file of a pack.
type part struct {
	name string
	body []byte
}

// parts are files of a pack by name, in the order in which they were put.
type parts []part

func (p *parts) put(name string, body []byte) string {
	if !slices.ContainsFunc(*p, func(there part) bool { return there.name == name }) {
		*p = append(*p, part{name, body})
	}
	return name
}

var (
	//go:embed evidence.html
	evidenceHTML string
	//go:embed evidence.txt
	evidenceText string

	evidencePage = template.Must(template.New("evidence").Funcs(template.FuncMap{
		"stepText": func(e event) text {
			return text(bank.StepText(gateway.Event{From: e.From, To: e.To, Actor: gateway.Actor{Role: e.Actor.Role}}))
		},
		"stateText":  func(s gateway.State) text { return text(bank.StateText(s)) },
		"statusText": func(s gateway.Status) text { return text(bank.StatusText(s)) },
	}).Parse(evidenceHTML))
)

// page is what a person reads.
type page struct {
	MadeAt    string
	Refund    refund
	Events    []event
	Approvals []event // those made by a second person
	Proof     string  // the challenge whose code let the customer in
	Messages  []message
	Presence  *presence
	Exchanges []exchange
	Taken     []taking
}

// sumsName is the manifest's: the form that sha256sum -c reads.
const sumsName = "SHA256SUMS"

// pack is one ZIP file. The same facts at the same time make the same bytes.
func (g gathered) pack() ([]byte, error) {
	var p parts
	exchanges, err := g.exchanges(&p)
	if err != nil {
		return nil, err
	}
	told := page{
		MadeAt: instant(g.at), Refund: refundOf(gateway.Listed{Refund: g.refund}, g.deadlines), Events: eventsOf(g.events),
		Messages: g.sms(), Proof: g.proof(),
		Presence: g.presence(), Exchanges: exchanges, Taken: g.taken(),
	}
	for _, e := range told.Events {
		if e.Actor.Role == gateway.RoleApprover || e.Actor.Role == gateway.RoleOperator {
			told.Approvals = append(told.Approvals, e)
		}
	}
	var html bytes.Buffer
	if err := evidencePage.Execute(&html, told); err != nil {
		return nil, err
	}
	files := parts{{"README.txt", []byte(evidenceText)}, {"index.html", html.Bytes()}}
	for _, f := range []struct {
		name  string
		value any
	}{
		{"refund.json", told.Refund},
		{"events.json", told.Events},
		{"messages.json", told.Messages},
		{"presence.json", told.Presence},
		{"exchanges.json", told.Exchanges},
		{"taken.json", told.Taken},
	} {
		body, err := json.MarshalIndent(f.value, "", "  ")
		if err != nil {
			return nil, err
		}
		files.put(f.name, append(body, '\n'))
	}
	files = append(files, p...)
	var sums strings.Builder
	for _, f := range files {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(f.body), f.name)
	}
	return zipped(append(files, part{sumsName, []byte(sums.String())}), g.at)
}

func zipped(files parts, at time.Time) ([]byte, error) {
	var whole bytes.Buffer
	z := zip.NewWriter(&whole)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at.UTC()})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return whole.Bytes(), err
}
