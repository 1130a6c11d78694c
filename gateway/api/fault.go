package api

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/otp"
)

// Fault is one thing that is wrong with a request's form. It says where and what kind of thing, in words of ours alone:
// what was typed, the names of unknown properties included, is never said back.
type Fault struct {
	Pointer string    `json:"pointer" doc:"RFC 6901, into the body; or the name of a header or parameter."`
	Code    FaultCode `json:"code" enum:"missing,unknown,type,size,format,malformed" doc:"What is wrong there."`
}

// FaultCode is a kind of Fault.
type FaultCode string

// The kinds of faults.
const (
	FaultMissing   FaultCode = "missing"
	FaultUnknown   FaultCode = "unknown" // a property that the contract doesn't name, exact to the case
	FaultType      FaultCode = "type"
	FaultSize      FaultCode = "size"
	FaultFormat    FaultCode = "format"
	FaultMalformed FaultCode = "malformed" // not to be read at all
)

const keyHeader = "Idempotency-Key"

// formError is malformed_request with the places.
type formError struct{ faults []Fault }

func (e *formError) Error() string { return errMalformed.Error() }

func (e *formError) Is(target error) bool { return target == errMalformed }

func malformed(pointer string, code FaultCode) error { return &formError{[]Fault{{pointer, code}}} }

// faultsOf is where the form is wrong, of an error that becomes malformed_request.
func faultsOf(err error) []Fault {
	var form *formError
	switch {
	case errors.As(err, &form):
		return form.faults
	case errors.Is(err, otp.ErrMalformedCode):
		return []Fault{{"/code", FaultFormat}}
	case errors.Is(err, bank.ErrNoChallenge):
		return []Fault{{"/challenge_id", FaultMissing}}
	case errors.Is(err, bank.ErrCursor):
		return []Fault{{"cursor", FaultFormat}}
	}
	return nil
}

// unread is the fault of a body that couldn't be read to its end: too long, too slow, or broken off.
func unread(err error) error {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return malformed("", FaultSize)
	}
	return malformed("", FaultMalformed)
}

// refusalOf turns what huma found wrong with a request into an error of ours. status is huma's own.
func refusalOf(status int, findings []error) error {
	// No handler gives huma anything but problems, so what is the server's or the clock's fault to huma is a body that
	// couldn't be read.
	if status >= http.StatusInternalServerError || status == http.StatusRequestTimeout {
		return unread(errors.Join(append(findings, io.ErrUnexpectedEOF)...))
	}
	form, noKey := &formError{}, false
	for _, finding := range findings {
		var d huma.ErrorDetailer
		if !errors.As(finding, &d) {
			continue
		}
		if strings.HasPrefix(d.ErrorDetail().Location, "path.") {
			return errNoRoute // gin lets a segment be empty
		}
		fault := faultOf(d.ErrorDetail())
		switch {
		case fault == Fault{keyHeader, FaultMissing}:
			noKey = true
		case !slices.Contains(form.faults, fault): // a thousand unknown properties are told once
			form.faults = append(form.faults, fault)
		}
	}
	switch {
	case noKey && !slices.Contains(form.faults, Fault{keyHeader, FaultMalformed}):
		return errKeyMissing
	case len(form.faults) == 0: // the one finding that huma has no detail for: there was no body
		return malformed("", FaultMissing)
	}
	return form
}

// faultOf keeps of a finding the place, and a code instead of the words.
func faultOf(d *huma.ErrorDetail) Fault {
	if property := required.FindStringSubmatch(d.Message); property != nil {
		return Fault{pointer(d.Location) + "/" + property[1], FaultMissing}
	}
	switch code := faultCode(d.Message); {
	case d.Message == "unexpected property":
		return Fault{"", code} // the location would be somebody's own words; bodies are flat, so it is the whole one
	case strings.HasPrefix(d.Message, huma.ErrUnknownContentType.Error()):
		return Fault{"Content-Type", code}
	default:
		return Fault{pointer(d.Location), code}
	}
}

// pointer turns "body.request_id" into "/request_id", and "header.Idempotency-Key" into the header's name. The names
// are the contract's: nothing below an unknown property is looked at.
func pointer(location string) string {
	place, name, nested := strings.Cut(location, ".")
	switch {
	case place != "body":
		return name
	case !nested:
		return ""
	default:
		return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(name)
	}
}

// required is how huma says that a property is missing; the name is the schema's.
var required = regexp.MustCompile(`^expected required property (\w+) to be present$`)

// faultCode goes by huma's words (package validation of huma); a test holds each to its code.
func faultCode(message string) FaultCode {
	for _, row := range []struct {
		part string
		code FaultCode
	}{
		{"parameter is missing", FaultMissing},
		{"unexpected property", FaultUnknown},
		{"expected length", FaultSize},
		{"expected number >=", FaultSize},
		{"expected number <=", FaultSize},
		{"to match pattern", FaultFormat},
		{"to be one of", FaultFormat},
		{huma.ErrUnknownContentType.Error(), FaultFormat},
		{"expected string", FaultType},
		{"expected object", FaultType},
		{"expected boolean", FaultType},
		{"invalid integer", FaultType},
	} {
		if strings.Contains(message, row.part) {
			return row.code
		}
	}
	return FaultMalformed
}
