package gateway

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
)

// crockford is Crockford's base 32: no I, L, O or U, so that a reference can be read out over a telephone.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// Reference derives a refund's one reference (core-protocol.md, "The reference"): "RF" and the first 80 bits of
// SHA-256("istirdad.v1" NUL bank NUL request NUL ordinal) in Crockford's base 32.
//
// It is derived, not drawn, so that a refund that is accepted again after the database lost its last rows carries the
// reference it had, and neither the core nor the bank's ledger pays twice. bank is the two-digit bank code; ordinal
// counts the refunds of this request that ended dead before this one.
func Reference(bank, request string, ordinal int) string {
	sum := sha256.Sum256([]byte("istirdad.v1\x00" + bank + "\x00" + request + "\x00" + strconv.Itoa(ordinal)))
	return "RF" + crockford.EncodeToString(sum[:10])
}
