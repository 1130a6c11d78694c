package redisstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/internal/redistest"
)

// shared is the Redis of the tests that do it no harm.
var shared redistest.Shared

func TestMain(m *testing.M) { goleak.VerifyTestMain(shared.Around(m)) }
