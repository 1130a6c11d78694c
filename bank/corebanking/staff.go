package corebanking

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/gateway"
	"github.com/istirdad/istirdad/internal/moi"
	"github.com/istirdad/istirdad/internal/saudi"
)

// staffAnswer is the body of GET /staff/{employee}.
type staffAnswer struct {
	Employee  string   `json:"employee"`
	Name      text     `json:"name"`
	Branch    string   `json:"branch"`
	OwnIDs    []string `json:"own_ids"`
	Relatives []string `json:"relatives"`
}

// Staff returns the bank's record of one of its people, or bank.ErrNotFound. Any other error means that the bank couldn't
// be asked or couldn't be believed: a list that is missing, or a number in it that can't be read, might be the very one
// that bars them.
func (c *Client) Staff(ctx context.Context, employee string) (staff bank.Staff, err error) {
	defer func(began time.Time) { c.observe(callStaff, outcomeOf(gateway.Posting{}, err), time.Since(began)) }(time.Now())
	name, err := segment(employee)
	if err != nil {
		return bank.Staff{}, fmt.Errorf("corebanking: staff: %w", bank.ErrNotFound) // nobody can have it
	}
	var record staffAnswer
	if err := c.record(ctx, callStaff, http.MethodGet, "/staff/"+name, nil, &record); err != nil {
		return bank.Staff{}, err
	}
	if record.Employee != employee {
		return bank.Staff{}, fmt.Errorf("corebanking: staff: %w", unknown(causeMismatch))
	}
	staff, err = record.staff()
	if err != nil {
		return bank.Staff{}, fmt.Errorf("corebanking: staff: %w: %w", unknown(causeUndocumented), err)
	}
	return staff, nil
}

func (r staffAnswer) staff() (bank.Staff, error) {
	if r.OwnIDs == nil || r.Relatives == nil {
		return bank.Staff{}, errors.New("it isn't said whom they may not serve")
	}
	staff := bank.Staff{Employee: r.Employee, Name: moi.Name(r.Name), Branch: r.Branch}
	for _, number := range slices.Concat(r.OwnIDs, r.Relatives) {
		barred, err := saudi.ParseInquirer(number)
		if err != nil {
			return bank.Staff{}, errors.New("a number of somebody whom they may not serve is none")
		}
		staff.Barred = append(staff.Barred, barred)
	}
	return staff, nil
}
