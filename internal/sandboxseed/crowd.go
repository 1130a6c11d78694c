package sandboxseed

import (
	"fmt"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
)

// MaxCrowd is how many customers six digits can tell apart.
const MaxCrowd = 999_999

// crowdRequests is how many refundable fees each of the crowd has: enough for a
// refund, another one, and one that is refused or left alone.
const crowdRequests = 3

// addCrowd adds customers c00001 … with three iqama renewals each.
func (w *World) addCrowd(n int, now time.Time) {
	n = min(max(n, 0), MaxCrowd)
	people := make([]Person, 0, len(w.People)+n)
	requests := make([]Request, 0, len(w.Requests)+n*crowdRequests)
	w.People, w.Requests = append(people, w.People...), append(requests, w.Requests...)
	quarter := known("iqama-quarter", now)
	for i := 1; i <= n; i++ {
		p := crowdMember(i)
		w.People = append(w.People, p)
		for k := 1; k <= crowdRequests; k++ {
			at := now.Add(-time.Duration(k)*24*time.Hour - time.Duration(i)*time.Second)
			w.Requests = append(w.Requests, paid(fmt.Sprintf("rq-%s-%d", p.User, k), p, quarter, at))
		}
	}
}

func crowdMember(i int) Person {
	user := fmt.Sprintf("c%05d", i)
	first9 := fmt.Sprintf("295%06d", i)
	language := "ar"
	if i%2 == 0 {
		language = "en"
	}
	return Person{
		User: user, Role: RoleCustomer, CustomerID: user,
		Name:   Name{AR: "عميل " + user, EN: "Customer " + user},
		IDKind: iqama, IDNumber: first9 + string(saudi.CheckDigit(first9)),
		Mobile:   fmt.Sprintf("+96651%07d", i),
		Language: language,
		Accounts: []Account{account(user, fmt.Sprintf("5557%011d", i))},
	}
}
