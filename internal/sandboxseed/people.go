package sandboxseed

import (
	"fmt"
	"time"

	"github.com/istirdad/istirdad/internal/saudi"
)

// New makes the world: the named people, the staff, and a crowd of that many
// (at most MaxCrowd) customers. Payments lie days before now; nothing else
// depends on it.
func New(crowd int, now time.Time) World {
	now = now.UTC().Truncate(time.Second)
	w := World{People: append(customers(), staff()...)}
	w.Requests = requests(w.People, now)
	w.addCrowd(crowd, now)
	return w
}

const (
	nationalID    = string(saudi.KindNationalID)
	iqama         = string(saudi.KindIqama)
	border        = string(saudi.KindBorder)
	establishment = string(saudi.KindEstablishment)
	vehicle       = string(saudi.KindVehicle)
)

// customers are domain.md §7, p01 to p14, in order.
func customers() []Person {
	ps := []Person{
		customer(1, nationalID, "1900000017", "ar", "سلمان العتيبي", "Salman Alotaibi"),
		customer(2, nationalID, "1900000025", "ar", "نورة القحطاني", "Noura Alqahtani"),
		customer(3, iqama, "2900000015", "ar", "أحمد حسن", "Ahmed Hassan"),
		customer(4, iqama, "2900000023", "en", "محمد رفيق", "Mohammed Rafiq"),
		customer(5, iqama, "2900000031", "ar", "خالد عمر", "Khalid Omar"),
		customer(6, iqama, "2900000049", "ar", "يوسف إبراهيم", "Yousef Ibrahim"),
		customer(7, iqama, "2900000056", "en", "راجيش كومار", "Rajesh Kumar"),
		customer(8, iqama, "2900000064", "en", "ماريا سانتوس", "Maria Santos"),
		customer(9, iqama, "2900000072", "ar", "طارق منصور", "Tariq Mansour"),
		customer(10, iqama, "2900000080", "ar", "سامي خليل", "Sami Khalil"),
		customer(11, nationalID, "1900000033", "ar", "فهد الدوسري", "Fahad Aldosari"),
		customer(12, nationalID, "1900000041", "ar", "منيرة الشمري", "Munira Alshammari"),
		customer(13, nationalID, "1900000058", "ar", "عبدالله الحربي", "Abdullah Alharbi"),
		customer(14, nationalID, "1900000066", "ar", "هند الغامدي", "Hind Alghamdi"),
	}
	ps[7].IDExpired = true
	ps[9].Accounts[0].Status = AccountClosed
	ps[11].Mobile = ""
	return ps
}

// customer n of the named: user p01 has mobile …001 and account …001.
func customer(n int, kind, number, language, ar, en string) Person {
	user := fmt.Sprintf("p%02d", n)
	return Person{
		User: user, Role: RoleCustomer, CustomerID: user,
		Name:   Name{AR: ar, EN: en},
		IDKind: kind, IDNumber: number,
		Mobile:   fmt.Sprintf("+966500000%03d", n),
		Language: language,
		Accounts: []Account{account(user, fmt.Sprintf("555608000000%03d", n))},
	}
}

func account(user, number string) Account {
	iban, err := saudi.NewIBAN(BankCode, number)
	if err != nil {
		panic("sandboxseed: account number of " + user + " makes no IBAN: " + err.Error())
	}
	return Account{
		AccountID: "acc-" + user + "-1",
		Number:    number,
		IBAN:      iban.Compact(),
		Label:     Name{AR: "الحساب الجاري", EN: "Current account"},
		Status:    AccountActive,
	}
}

// staff are the people behind the counter and behind the screens. a02 is t01
// under a second login: the same employee, so that nobody approves their own.
func staff() []Person {
	const branch1, branch2, backOffice = "101", "202", "back-office"
	t01 := employee("t01", RoleTeller, "E100", branch1, "ماجد السبيعي", "Majed Alsubaie", "1900000074")
	t01.Relatives = []string{"1900000033"} // p11
	a02 := employee("a02", RoleApprover, "E100", branch1, t01.Name.AR, t01.Name.EN, "1900000074")
	a02.Relatives = []string{"1900000033"}
	return []Person{
		t01,
		employee("t02", RoleTeller, "E101", branch1, "ريم الزهراني", "Reem Alzahrani", "1900000082"),
		employee("t03", RoleTeller, "E102", branch2, "بندر المطيري", "Bandar Almutairi", "1900000090"),
		employee("a01", RoleApprover, "E200", branch1, "لطيفة العنزي", "Latifa Alanazi", ""),
		a02,
		employee("a03", RoleApprover, "E201", backOffice, "سعود الشهري", "Saud Alshehri", ""),
		employee("o01", RoleOperator, "E300", backOffice, "دانة البقمي", "Dana Albaqami", ""),
		employee("o02", RoleOperator, "E301", backOffice, "تركي الرشيدي", "Turki Alrashidi", ""),
	}
}

func employee(user, role, employee, branch, ar, en, ownID string) Person {
	p := Person{
		User: user, Role: role, Name: Name{AR: ar, EN: en},
		Language: "ar", Employee: employee, Branch: branch,
	}
	if ownID != "" {
		p.IDKind, p.IDNumber, p.OwnIDs = nationalID, ownID, []string{ownID}
	}
	return p
}
