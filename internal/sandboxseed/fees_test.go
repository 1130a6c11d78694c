package sandboxseed_test

import (
	"slices"
	"testing"
	"time"

	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/sandboxseed"
)

// Every service that anybody ever listed has its rule, and the gateway's own
// catalogue says the same of it. They are two lists on purpose: the gateway's is
// shown to customers, the core's decides.
func TestEveryServiceHasItsRule(t *testing.T) {
	rules := sandboxseed.Rules(now)
	for _, s := range moi.Services() {
		i := slices.IndexFunc(rules, func(r sandboxseed.Rule) bool { return r.Service == s.Code })
		if i < 0 {
			t.Errorf("%s has no rule", s.Code)
			continue
		}
		r := rules[i]
		if (r.Refundable != sandboxseed.Never) != s.Refundable {
			t.Errorf("%s is refundable %s here, and %v in the catalogue", s.Code, r.Refundable, s.Refundable)
		}
		if (r.Bucket == "") != (r.Refundable == sandboxseed.Never) {
			t.Errorf("%s is refundable %s and lies in %q", s.Code, r.Refundable, r.Bucket)
		}
	}
	if len(rules) != len(moi.Services()) {
		t.Errorf("%d rules of %d services", len(rules), len(moi.Services()))
	}
}

// The rows of domain.md §2.3 that say when a visa's fee is lost.
func TestRuleOf(t *testing.T) {
	for service, want := range map[string]sandboxseed.Refundable{
		"090-003": sandboxseed.UntilUsed, "090-004": sandboxseed.UntilIssued, "090-005": sandboxseed.UntilIssued,
		"090-057": sandboxseed.UntilIssued, "093-040": sandboxseed.Never, "090-052": sandboxseed.Never,
		"999-999": sandboxseed.UntilUsed,
	} {
		if got := sandboxseed.RuleOf(service, now).Refundable; got != want {
			t.Errorf("%s is refundable %s, want %s", service, got, want)
		}
	}
}

func TestFees(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sandboxseed.Fees(now) {
		if seen[f.ID] {
			t.Errorf("two fees are called %s", f.ID)
		}
		seen[f.ID] = true
		checkName(t, f.ID, f.Variant)
		if _, known := moi.Lookup(f.Service); !known {
			t.Errorf("%s is of service %q", f.ID, f.Service)
		}
		never := sandboxseed.RuleOf(f.Service, now).Refundable == sandboxseed.Never
		if inBucket := slices.ContainsFunc(moi.Buckets(), func(b moi.Bucket) bool { return b.ID == f.Bucket }); inBucket == never {
			t.Errorf("%s lies in %q", f.ID, f.Bucket)
		}
		if f.Amount <= 0 || f.Source.Source == "" || f.ValidFrom.IsZero() {
			t.Errorf("%s is %+v", f.ID, f)
		}
	}
	f, found := sandboxseed.FeeOf("exit-reentry-single", now)
	if !found || f.Service != "090-004" || f.Amount != 200_00 || f.Confidence != "high" {
		t.Errorf("exit-reentry-single is %+v, %v", f, found)
	}
	if f, found := sandboxseed.FeeOf("nothing", now); found {
		t.Errorf("there is a fee of nothing: %+v", f)
	}
}

// A fine is paid like everything else, and is never given back.
func TestPaymentOfAFine(t *testing.T) {
	w := sandboxseed.New(0, now)
	fine, _ := sandboxseed.FeeOf("traffic-violation", now)
	r := sandboxseed.Payment(person(t, w, "p03"), 7, fine, now.Add(-time.Hour))
	if r.ID != "rq-p03-7" || r.Refundable || r.Reason != "service_not_refundable" || r.State != sandboxseed.StateAvailable || r.Bucket != "" {
		t.Errorf("the fine is %+v", r)
	}
}
