package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/istirdad/istirdad/internal/sandbox"
)

// faultVariable and the name of a kind in capitals are a variable with the rate at which that kind happens of its own
// accord: SANDBOX_FAULT_WRONG_ECHO=0.05.
const faultVariable = "SANDBOX_FAULT_"

// readRates takes the rates of faults from an environment.
func (c *command) readRates(environ []string) error {
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		kind, found := strings.CutPrefix(name, faultVariable)
		if !found {
			continue
		}
		rate, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%s: not a rate between 0 and 1", name)
		}
		if c.Rates == nil {
			c.Rates = map[string]float64{}
		}
		c.Rates[strings.ToLower(kind)] = rate
	}
	return nil
}

// readFaults reads what is switched on from the start.
func (c *command) readFaults(file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if c.Faults, err = sandbox.ReadFaults(text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
