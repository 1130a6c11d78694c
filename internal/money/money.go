// Package money holds the one amount type of the product: whole halalas.
//
// A Saudi riyal is 100 halalas, and every fee, limit and total is an [Amount]
// of them in an int64: sums are exact, and a riyal can never be mistaken for a
// halala, because the only ways between text and Amount are [Parse] and
// [Amount.String]. There are no floats and no other currency; an integer on a
// wire is halalas (core-protocol.md, bank-protocol.md), a string on a wire has
// exactly two decimals (api.md).
//
// An amount has one spelling. Parse refuses what String would not have
// written ("007.00", "+1.00", "1e2"), so text that was signed, hashed or
// compared survives a round trip unchanged.
package money

import (
	"errors"
	"math"
	"strconv"
)

// Currency is the ISO 4217 code of every Amount.
const Currency = "SAR"

// halalasPerRiyal is the minor unit of SAR: two decimals.
const halalasPerRiyal = 100

// ErrAmount is returned by Parse for anything but the one spelling of an
// amount. It never repeats what was given.
var ErrAmount = errors.New("money: not an amount of riyals with two decimals")

// Amount is a sum of money in halalas. A negative Amount is a difference and is
// written with a sign, but Parse never makes one.
type Amount int64

// Parse reads riyals with exactly two decimals, such as "200.00": ASCII digits,
// no sign, no exponent, no grouping, no leading zero but the one of "0.05".
// Anything else, or more than an int64 of halalas, is ErrAmount.
func Parse(s string) (Amount, error) {
	point := len(s) - 3
	if point < 1 || s[point] != '.' {
		return 0, ErrAmount
	}
	if s[0] == '0' && point > 1 {
		return 0, ErrAmount
	}
	var halalas int64
	for i := range len(s) {
		if i == point {
			continue
		}
		c := s[i]
		if c < '0' || c > '9' {
			return 0, ErrAmount
		}
		digit := int64(c - '0')
		if halalas > (math.MaxInt64-digit)/10 {
			return 0, ErrAmount
		}
		halalas = halalas*10 + digit
	}
	return Amount(halalas), nil
}

// String writes the amount as Parse reads it: "200.00".
func (a Amount) String() string {
	// The magnitude is taken in uint64, where that of the smallest int64 fits.
	magnitude := uint64(a)
	buf := make([]byte, 0, 24)
	if a < 0 {
		magnitude = -magnitude
		buf = append(buf, '-')
	}
	buf = strconv.AppendUint(buf, magnitude/halalasPerRiyal, 10)
	rest := magnitude % halalasPerRiyal
	return string(append(buf, '.', byte('0'+rest/10), byte('0'+rest%10)))
}
