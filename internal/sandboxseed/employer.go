package sandboxseed

import (
	"fmt"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
)

// MaxEmployer is how many fees an employer has at most: more than any list is
// meant for.
const MaxEmployer = 100_000

// Employer is the user whom AddEmployer adds.
const Employer = "employer"

// perWorker is how many fees an employer has paid for each worker.
const perWorker = 5

// AddEmployer adds a customer who paid n fees for their workers, or nobody when
// n is zero. They are of five services, most of one; every seventh is used up;
// and three at a time were paid in the same second, as by a program that pays a
// list. The now is New's.
func (w *World) AddEmployer(n int, now time.Time) {
	n = min(max(n, 0), MaxEmployer)
	if n == 0 {
		return
	}
	now = now.UTC().Truncate(time.Second)
	const first9 = "196000001"
	p := Person{
		User: Employer, Role: RoleCustomer, CustomerID: Employer,
		Name:   Name{AR: "صاحب عمل", EN: "An Employer"},
		IDKind: nationalID, IDNumber: first9 + string(saudi.CheckDigit(first9)),
		Mobile: "+966520000001", Language: "ar",
		Accounts: []Account{account(Employer, "555800000000001")},
	}
	w.People = append(w.People, p)
	services := []string{"iqama-year", "sponsorship-1", "iqama-year", "occupation", "iqama-year", "exit-reentry-single", "iqama-year", "dependent-quarter"}
	for i := range n {
		at := now.Add(-time.Hour - time.Duration(i/3)*time.Minute)
		r := paid(fmt.Sprintf("rq-%s-%d", Employer, n-i), p, known(services[i%len(services)], at), at).benefiting(iqama, worker(i/perWorker))
		if i%7 == 6 {
			r = r.consumed()
		}
		w.Requests = append(w.Requests, r)
	}
}

// worker is the iqama number of somebody who can't sign in.
func worker(i int) string {
	first9 := fmt.Sprintf("296%06d", i)
	return first9 + string(saudi.CheckDigit(first9))
}

// Payment is one more fee that somebody pays, the n-th of theirs.
func Payment(p Person, n int, f Fee, at time.Time) Request {
	return paid(fmt.Sprintf("rq-%s-%d", p.User, n), p, f, at.UTC())
}
