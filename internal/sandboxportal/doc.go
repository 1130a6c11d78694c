// Package sandboxportal is the stand-in for the government's own portal, where
// people ask what waits for a number and ask their money back without their
// bank. It is plainly marked as a sandbox, shows no official mark, and works on
// the book of the stand-in core: one payment asked back here and at the bank is
// decided there, once.
//
// # Two doors
//
// The same three things (sign in, inquire, ask back) are offered as an API below
// /portal/api (api.go) and as pages below /portal (pages.go). Both go through the
// functions of portal.go, so that what is refused at one door is refused at the
// other, in the same words (words.go). The pages need no script, load nothing
// from elsewhere, begin in Arabic and keep the other language in a cookie.
//
// # Asking about somebody else's number
//
// A signed-in person's own iqama number is answered at once. For every other
// number there is a picture code (captcha.go), used up by the first try, right or
// wrong, alive for two minutes and good in one session only. Who can't see the
// picture (picture.go) can hear it (sound.go): the digits are said, in the language
// of the page. It is the same code, used up by the same try. The code keeps
// programs busy, it doesn't keep them out; that is for the limits (limits.go), by
// source and by number.
//
// A number that nobody has is answered as one without money, by the same steps
// and in the same bytes.
//
// # What is remembered
//
// Sessions, with the codes and the refunds under way in them, are in memory and
// bounded: each person has so many at most, the oldest goes. A refund that was
// confirmed is in the core's book, with the portal's id, and outlives everything
// here: the same confirm answers the same after a crash.
package sandboxportal
