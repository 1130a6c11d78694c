package fleet_test

import (
	"os"
	"testing"

	"github.com/istirdad/istirdad/internal/fleet"
)

func TestMain(m *testing.M) { os.Exit(fleet.Main(m)) }
