package banktest_test

import (
	"fmt"
	"runtime"
	"testing"
)

// failure is a test that is expected to fail.
type failure struct {
	testing.TB
	said string
}

func (f *failure) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) + "\n" }

func (f *failure) Fatal(args ...any) {
	f.said += fmt.Sprintln(args...)
	runtime.Goexit()
}

func (f *failure) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// fails returns what a test says that must fail.
func fails(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	f, done := &failure{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
	if f.said == "" {
		t.Error("it doesn't fail")
	}
	return f.said
}
