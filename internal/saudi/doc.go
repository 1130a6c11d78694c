// Package saudi knows the identifiers, digits and calendar of the Kingdom:
// national IDs and iqamas, border, establishment and vehicle numbers, IBANs,
// mobiles, the Umm al-Qura date and the Sunday–Thursday working week.
//
// # Parse at the edge, trust afterwards
//
// What a person typed goes once through a Parse function, which forgives form
// (Arabic-Indic and Persian digits, spaces, hyphens, bidi marks; see [Digits])
// and nothing else. What a machine sent goes through [NewParty], which forgives
// nothing. A [Party], [IBAN] or [Mobile] that exists is therefore valid, and its
// zero value means "none".
//
// # Values that keep their secret
//
// These three are personal data. Whatever prints them by accident prints the
// mask: fmt with any verb, log/slog, encoding/json, an error that wraps them.
// This also holds inside another struct's unexported field, where fmt reaches
// values by reflection and calls no method: the text is kept behind a
// unique.Handle, which fmt shows as an address, and which still compares with
// == and may be a map key. Only the methods whose comment says CLEAR reveal it;
// they are for wires and sealed columns.
//
// No error of this package contains its input, for the same reason.
package saudi
