package banktest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
)

// t stands for the *testing.T of the test whose body an example is.
var t testing.TB = body{}

// body is the little of a test that an example needs.
type body struct{ testing.TB }

func (body) Helper()                  {}
func (body) Cleanup(func())           {} // examples close their worlds themselves
func (body) Context() context.Context { return context.Background() }
func (body) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func (body) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (body) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// One refund, from sign-in to the money in the account.
func Example() {
	w := banktest.Start(t)
	defer w.Close() // a test needn't

	c := w.Customer("p03")
	c.Prove() // asks for a code, reads the SMS, enters it
	preview := c.Preview("rq-p03-1")
	fmt.Println(preview.Amount.Amount, "to", preview.ToAccount)

	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	refund := c.Await(preview.RefundID, "completed")
	fmt.Println(refund.Status)

	w.Exact() // fails the test if anything was lost, doubled or lied about
	// Output:
	// 650.00 to SA12 80** **** **** **** 0003
	// completed
}

// The core pays, and its answer breaks off. The gateway asks before it sends anything again.
func ExampleWorld_Fault() {
	w := banktest.Start(t)
	defer w.Close()
	w.Fault(banktest.ResetMidAnswer, banktest.OnSubmit, banktest.Count(1))

	c := w.Customer("p03")
	c.Prove()
	preview := c.Preview("rq-p03-1")
	c.Confirm(preview.RefundID).Want(http.StatusAccepted)
	c.Await(preview.RefundID, "completed")

	fmt.Println("paid", w.Exact().Effects, "time")
	// Output:
	// paid 1 time
}

// A program under test has a code sent; the test reads it from the customer's phone.
func ExamplePhone() {
	w := banktest.Start(t)
	defer w.Close()
	phone := w.Phone("p03")

	// The program under test: here, a call with a customer's token.
	c := w.Customer("p03")
	var challenge struct {
		ID string `json:"challenge_id"`
	}
	c.Do(http.MethodPost, "/v1/otp/challenges", `{"purpose":"profile"}`).Want(http.StatusCreated).JSON(&challenge)

	entered := map[string]string{"code": phone.Code(t)}
	c.Do(http.MethodPost, "/v1/otp/challenges/"+challenge.ID+"/verify", entered).Want(http.StatusOK)

	sms := phone.Messages(t)[0]
	fmt.Println(sms.Sender, "to", sms.To)
	// Output:
	// Istirdad to +966500000003
}

// A refusal has a status and a stable code.
func ExampleResponse_Want() {
	w := banktest.Start(t)
	defer w.Close()

	c := w.Customer("p03")
	c.Do(http.MethodGet, "/v1/profile", nil).Want(http.StatusForbidden, "step_up_required")
	c.Prove()
	c.Do(http.MethodGet, "/v1/profile", nil).Want(http.StatusOK)
	// Output:
}

// Twenty customers confirm at the same moment, while every tenth answer of the core gets lost.
func ExampleWorld_Together() {
	w := banktest.Start(t, banktest.Crowd(20))
	defer w.Close()
	w.Fault(banktest.ResetMidAnswer, banktest.OnSubmit, banktest.Rate(0.1))

	w.Together(20, func(i int, w *banktest.World) {
		user := fmt.Sprintf("c%05d", i+1)
		c := w.Customer(user)
		c.Prove()
		c.Confirm(c.Preview("rq-" + user + "-1").RefundID).Want(http.StatusAccepted)
	})

	v := w.Settled(time.Minute)
	fmt.Println(v.Confirmed, "confirmed,", v.Effects, "paid")
	// Output:
	// 20 confirmed, 20 paid
}

// A sandbox that runs in a process of its own says in one line where it is.
func ExampleAttach() {
	elsewhere := banktest.Start(t)
	defer elsewhere.Close()
	stdout := printed(elsewhere) // of `sandbox -free-ports -polite -print-json`

	var urls banktest.URLs
	if err := json.NewDecoder(stdout).Decode(&urls); err != nil {
		t.Fatal(err)
	}
	w := banktest.Attach(t, urls)
	defer w.Close()
	w.Customer("p03").Prove()
	w.Exact()
	// Output:
}

func printed(w *banktest.World) *strings.Reader {
	line, err := json.Marshal(w.URLs())
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(line))
}
