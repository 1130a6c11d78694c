package banktest

import (
	"runtime"
	"testing"
)

// offside is a test seen from another goroutine than its own, where it may be told of a failure but not be stopped:
// what would stop the test stops the goroutine.
type offside struct{ testing.TB }

func (o offside) FailNow() {
	o.Helper()
	o.Fail()
	runtime.Goexit()
}

func (o offside) Fatal(args ...any) {
	o.Helper()
	o.Error(args...)
	runtime.Goexit()
}

func (o offside) Fatalf(format string, args ...any) {
	o.Helper()
	o.Errorf(format, args...)
	runtime.Goexit()
}
