package storetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/saudi"
	"github.com/istirdad/istirdad/internal/seal"
)

// RunRotation is what a store promises while the key changes under which it keeps whom it is about. open makes an empty
// store, and returns how it is opened with some keys, as by a gateway that is started anew; the last one may be closed then.
func RunRotation(t *testing.T, open func(t *testing.T) (with func(*seal.Sealer) Store)) {
	for name, test := range map[string]func(*testing.T, func(*seal.Sealer) Store){
		"what was sealed is read":             sealedBefore,
		"everybody on an account counts once": usesOverRotations,
		"a use of before is as old as it was": usesGrowOld,
		"the latest look comes first":         looksOverRotations,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// keys has the first of the ids as today's key, and the others beside it.
func keys(t *testing.T, ids ...string) *seal.Sealer {
	t.Helper()
	master := func(id string) []byte { return bytes.Repeat([]byte(id[1:2]), seal.MasterLen) }
	var others []seal.Option
	for _, id := range ids[1:] {
		others = append(others, seal.WithRetired(id, master(id)))
	}
	s, err := seal.New(ids[0], master(ids[0]), others...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealedBefore(t *testing.T, with func(*seal.Sealer) Store) {
	want := accept(t, with(keys(t, "k1")), acceptance(1))
	s := with(keys(t, "k2", "k1"))
	same(t, "a refund of before", lookup(t, s, want.ID), want)
	accept(t, s, acceptance(2))
	wantNoMisspent(t, s)
}

// user has fees of people refunded to one account, by whichever gateway.
type user struct {
	t     *testing.T
	store Store
	n     int
}

func (u *user) use(at time.Time, people ...int) {
	u.t.Helper()
	for _, n := range people {
		u.n++
		accept(u.t, u.store, with(acceptance(u.n), func(a *gateway.Acceptance) { a.Payment.Beneficiary, a.At = visitor(n), at }))
	}
}

func (u *user) want(since time.Time, but saudi.Party, want int) {
	u.t.Helper()
	if got := seek(u.t, u.store, account(1), but, since); got != want {
		u.t.Errorf("after %d uses there are %d people, want %d", u.n, got, want)
	}
}

func visitor(n int) saudi.Party { return party(saudi.KindBorder, fmt.Sprintf("300000%04d", n)) }

// usesOverRotations is a rotation as the manual has it, a second one, and gateways that aren't at the same step.
func usesOverRotations(t *testing.T, with func(*seal.Sealer) Store) {
	nobody := saudi.Party{}
	var u user
	u.t = t
	for _, step := range []struct {
		keys   []string
		before int // people, as soon as a gateway has these keys
		uses   []int
		after  int
	}{
		{[]string{"k1"}, 0, []int{1, 2, 3}, 3},
		{[]string{"k1", "k2"}, 3, []int{3, 4}, 4},    // it knows the new key
		{[]string{"k2", "k1"}, 4, []int{4, 5}, 5},    // and goes by it
		{[]string{"k1", "k2"}, 5, []int{5, 1, 6}, 6}, // one that doesn't go by it yet
		{[]string{"k2", "k1"}, 6, []int{6, 6, 2}, 6},
		{[]string{"k2", "k1", "k3"}, 6, nil, 6},
		{[]string{"k3", "k2", "k1"}, 6, []int{1, 2, 7}, 7},
	} {
		u.store = with(keys(t, step.keys...))
		u.want(start, nobody, step.before)
		u.use(start, step.uses...)
		u.want(start, nobody, step.after)
		for n := range 9 { // each of them is known by every key
			want := step.after
			if n > 0 && n <= step.after {
				want--
			}
			u.want(start, visitor(n), want)
		}
	}
	wantNoMisspent(t, u.store)
}

// usesGrowOld: a use counts from its own time on, whenever the key has changed since.
func usesGrowOld(t *testing.T, with func(*seal.Sealer) Store) {
	u := user{t: t, store: with(keys(t, "k1"))}
	u.use(start, 1, 2)
	u.store = with(keys(t, "k2", "k1"))
	later := start.AddDate(0, 0, 1)
	u.use(later, 2, 3)
	u.want(start, saudi.Party{}, 3)
	u.want(start.Add(time.Microsecond), saudi.Party{}, 2)
	u.want(later.Add(time.Microsecond), saudi.Party{}, 0)
}

// looksOverRotations: whichever key a look was recorded under, auditors are told the most recent ones.
func looksOverRotations(t *testing.T, with func(*seal.Sealer) Store) {
	var all []bank.Lookup
	for n, ids := range [][]string{{"k1"}, {"k2", "k1"}, {"k1", "k2"}} { // the last doesn't go by the new key yet
		s := with(keys(t, ids...))
		if err := record(t, s, look(n), 10); err != nil {
			t.Fatal(err)
		}
		all = append([]bank.Lookup{look(n)}, all...)
		for most := range len(all) {
			wantLookups(t, s, look(n).Number, most+1, all[:most+1]...)
		}
	}
}
