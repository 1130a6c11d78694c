// Package faultmatrix shows, row by row, what a refund comes to when the government core fails in one of the ways in which
// such systems fail. It has tests alone, each named after its row:
//
//	F01  no connection can be had: the port is closed, the name unknown, TLS fails
//	F02  a send is met with silence, and had no effect
//	F03  a send is met with silence, and had its effect
//	F04  a send takes its effect late, after the core has denied the reference
//	F05  500, before or after the effect
//	F06  503, with whatever Retry-After
//	F07  429
//	F08  an answer that comes a byte a second
//	F09  the connection is reset, before, in or after the send, and in the answer
//	F10  an answer that is none: HTML, cut short, endless, or packed to be
//	F11  a signature that is wrong, absent, expired or nobody's
//	F12  an answer, signed, about another reference, request, amount or account
//	F13  the core says that our reference stands for something else
//	F14  401, 403
//	F15  a redirect
//	F16  a core that is there one second and gone the next
//	F17  a status that is stale, can't be had, or contradicts what was said before
//	F18  the core forgets a reference
//	F19  callbacks that come often, late, early, out of order or about nobody
//	F20  a state that no page documents
//	F21  clocks that are ten minutes apart
//	F22  the core takes back by itself what it released
//
// In every row, at every moment: the money is released once and credited once; every send of a refund is the same bytes
// under the same reference; a customer is never shown as final what isn't true, and never as failed what isn't known; and
// all that was accepted comes to an end, or to people where the core contradicts itself.
//
// Dispatcher, store and clients are the ones of production, the core and the bank are the stand-ins, with HTTP between
// them over pipes. Time is fake: a schedule of hours takes no longer than the work in it.
package faultmatrix
