// Package moi is the catalogue of the services whose fees are paid to the
// Ministry of Interior's billers through SADAD: their codes, their generic names
// in Arabic and English, their sector, and whether an unused fee can be asked
// back at all.
//
// A code is biller and service, "090-003". The catalogue says nothing of
// amounts or of durations, which change by decree and belong to each request,
// and nothing of the balance bucket that a fee is shown in, which the core
// decides (sources disagree about iqama renewals).
//
// What is public is a bank aggregator's list of codes and English names. It
// groups them by biller without naming the biller; that the groups, in its
// order, are 090 to 096 agrees with every pairing seen elsewhere. The Arabic
// names are ordinary usage, not an official list.
package moi

import (
	"errors"
	"slices"
	"strings"
)

// ErrCode is returned for text that has not the form of a service code. It never
// repeats what was given.
var ErrCode = errors.New("moi: not a service code of the form 090-003")

// Name is a text for people.
type Name struct {
	AR string `json:"ar"`
	EN string `json:"en"`
}

// Service is a kind of fee.
type Service struct {
	Code   string // biller, hyphen, service, three digits each: "090-003"
	Name   Name   // generic; a request may carry a fuller one, with its variant
	Sector Name   // whose fee it is: the biller's name as text messages give it

	// Refundable is false where no unused fee is ever given back. Where it is
	// true, whether this fee still is unused is the core's to say.
	Refundable bool
}

// Biller returns the SADAD biller's code, "090".
func (s Service) Biller() string { return s.Code[:billerLen] }

// Lookup returns the service of a code as ParseCode writes it; false for one
// that is not in the catalogue.
func Lookup(code string) (Service, bool) {
	i, found := slices.BinarySearchFunc(catalogue, code, func(s Service, code string) int {
		return strings.Compare(s.Code, code)
	})
	if !found {
		return Service{}, false
	}
	return catalogue[i], true
}

// Services returns the whole catalogue, ordered by code.
func Services() []Service { return slices.Clone(catalogue) }

const (
	billerLen  = 3
	serviceLen = 3
	codeLen    = billerLen + 1 + serviceLen
)

// ParseCode brings a code into its one form. Banks' forms write the service with
// three digits, one manual with two: "090-03" is "090-003". The code may be of a
// service that is not in the catalogue; what is no code is ErrCode.
func ParseCode(s string) (string, error) {
	if len(s) == codeLen-1 && s[billerLen] == '-' {
		s = s[:billerLen+1] + "0" + s[billerLen+1:]
	}
	if len(s) != codeLen || s[billerLen] != '-' {
		return "", ErrCode
	}
	for i := range codeLen {
		if i != billerLen && (s[i] < '0' || s[i] > '9') {
			return "", ErrCode
		}
	}
	return s, nil
}

// Describe is Lookup for whoever has to call the service something: one that
// the core knows and the catalogue doesn't is called by its code.
func Describe(code string) Service {
	if s, known := Lookup(code); known {
		return s
	}
	return Service{Code: code, Name: Name{AR: code, EN: code}, Sector: Name{AR: code, EN: code}, Refundable: true}
}
