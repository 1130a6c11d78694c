package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"regexp"

	"github.com/istirdad/istirdad/gateway/client"
	"github.com/istirdad/istirdad/internal/sandbox"
)

// The whole path: who am I, prove it, what did I pay, give it back.
func Example() {
	ctx := context.Background()
	world := start(ctx) // go run ./cmd/sandbox -polite
	defer world.Close()

	c, err := client.New(world.URLs().Gateway, client.Token(world.token("p03")), client.English())
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Profile(ctx)
	fmt.Println("a code first:", errors.Is(err, client.ErrStepUpRequired))

	challenge, err := c.Challenge(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Verify(ctx, challenge.ChallengeID, world.sms("+966500000003")); err != nil {
		log.Fatal(err)
	}
	profile, err := c.Profile(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("signed in:", profile.ID.Number)

	for request, err := range c.Requests(ctx, "090-003") {
		if err != nil {
			log.Fatal(err)
		}
		if !request.Refundable {
			continue
		}
		preview, err := c.Preview(ctx, client.Ask{
			RequestID: request.RequestID, AccountNumber: request.PaidFrom.AccountID, IDNumber: "٢٩٠٠٠٠٠٠١٥",
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("would come back:", preview.Amount, "to", preview.ToAccount)

		accepted, err := c.Confirm(ctx, preview.RefundID)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("accepted:", accepted.Status)
	}

	// Output:
	// a code first: true
	// signed in: 2******015
	// would come back: 650.00 to SA12 80** **** **** **** 0003
	// accepted: processing
}

// A refusal has a code to go by, words for people, and what helps.
func ExampleProblem() {
	ctx := context.Background()
	world := start(ctx)
	defer world.Close()
	c, err := client.New(world.URLs().Gateway, client.Token(world.token("p03")), client.English())
	if err != nil {
		log.Fatal(err)
	}
	challenge, err := c.Challenge(ctx)
	if err != nil {
		log.Fatal(err)
	}

	_, err = c.Verify(ctx, challenge.ChallengeID, wrong(world.sms("+966500000003")))
	var problem *client.Problem
	switch {
	case errors.Is(err, client.ErrCodeWrong) && errors.As(err, &problem):
		fmt.Println(problem.Detail, problem.AttemptsLeft, "tries are left.")
	case errors.Is(err, client.ErrNoAnswer):
		fmt.Println("What became of it is unknown.")
	}

	// Output:
	// Check the code and enter it again. 2 tries are left.
}

// What becomes of a refund, as it happens. The loop ends by itself when there is nothing more to tell.
func ExampleClient_Events() {
	ctx := context.Background()
	world := start(ctx)
	defer world.Close()
	c, err := client.New(world.URLs().Gateway, client.Token(world.token("p03")))
	if err != nil {
		log.Fatal(err)
	}
	refundID := confirmed(ctx, c, world)

	var last client.Refund
	for now, err := range c.Events(ctx, refundID) {
		if err != nil {
			log.Fatal(err)
		}
		last = *now.Refund
	}
	fmt.Println(last.Status, last.Amount)
	fmt.Println(last.Timeline[len(last.Timeline)-1].Text.EN)

	// Output:
	// completed 650.00
	// Credited to your account
}

// confirmed is the refund of all that p03 ever paid.
func confirmed(ctx context.Context, c *client.Client, world world) string {
	challenge, err := c.Challenge(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Verify(ctx, challenge.ChallengeID, world.sms("+966500000003")); err != nil {
		log.Fatal(err)
	}
	preview, err := c.Preview(ctx, client.Ask{RequestID: "rq-p03-1", AccountNumber: "555608000000003", IDNumber: "2900000015"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Confirm(ctx, preview.RefundID); err != nil {
		log.Fatal(err)
	}
	return preview.RefundID
}

// world is a sandbox with what an example needs of it.
type world struct{ *sandbox.World }

func start(ctx context.Context) world {
	w, err := sandbox.Start(ctx, sandbox.Options{Polite: true})
	if err != nil {
		log.Fatal(err)
	}
	return world{w}
}

// token signs a person in.
func (w world) token(user string) string {
	res, err := http.PostForm(w.URLs().Bank+"/token",
		url.Values{"grant_type": {"password"}, "username": {user}, "password": {sandbox.Password}})
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	read(res, err, &granted)
	return granted.AccessToken
}

var sixDigits = regexp.MustCompile(`:(\d{6})\n`)

// sms is the code in the newest SMS on a phone.
func (w world) sms(mobile string) string {
	res, err := http.Get(w.URLs().Control + "/phone/messages?to=" + url.QueryEscape(mobile))
	var inbox struct{ Items []struct{ Text string } }
	read(res, err, &inbox)
	return sixDigits.FindStringSubmatch(inbox.Items[0].Text)[1]
}

func read(res *http.Response, err error, v any) {
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		log.Fatal(err)
	}
}
