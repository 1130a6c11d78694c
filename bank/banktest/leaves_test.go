package banktest_test

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/istirdad/istirdad/bank/banktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNothingIsLeft: after the test there is no file, no port and no goroutine of its world, also when a fault holds calls
// in silence.
func TestNothingIsLeft(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var urls banktest.URLs
	t.Run("world", func(t *testing.T) {
		w := banktest.Start(t)
		urls = w.URLs()
		c := w.Customer("p03")
		c.Prove()
		preview := c.Preview("rq-p03-1")
		w.Fault(banktest.EffectThenHang, banktest.OnSubmit)
		c.Confirm(preview.RefundID).Want(http.StatusAccepted)
		c.Await(preview.RefundID, "sending")
		if files, err := os.ReadDir(dir); err != nil || len(files) == 0 {
			t.Errorf("%d files while it runs, %v: it looks in the wrong place", len(files), err)
		}
	})
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("left are %v, %v", files, err)
	}
	for _, address := range []string{urls.Gateway, urls.Ops, urls.Core, urls.Bank, urls.Control} {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://")); err == nil {
			_ = conn.Close()
			t.Errorf("%s answers still", address)
		}
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// TestAttachLeavesNoFault: a world that goes on is handed back as it was.
func TestAttachLeavesNoFault(t *testing.T) {
	w := banktest.Start(t)
	t.Run("guest", func(t *testing.T) {
		guest := banktest.Attach(t, w.URLs())
		guest.Fault(banktest.Stop, banktest.OnSubmit)
	})
	if on := w.Control(http.MethodGet, "/faults", nil).Body; strings.TrimSpace(string(on)) != `{"items":[]}` {
		t.Errorf("left on are %s", on)
	}
}

// TestAttachForgetsOldCodes: a code of before isn't taken for one that is being waited for.
func TestAttachForgetsOldCodes(t *testing.T) {
	w := banktest.Start(t)
	w.Customer("p03").Challenge(map[string]string{"purpose": "profile"})
	w.Forgive("p03")
	guest := banktest.Attach(t, w.URLs())
	guest.Customer("p03").Prove()
	if n := len(w.Phone("p03").Messages(t)); n != 2 {
		t.Errorf("on the phone are %d messages", n)
	}
	old := banktest.Attach(t, w.URLs())
	w.Together(2, func(i int, w *banktest.World) {
		if i == 0 {
			w.Forgive("p03")
			w.Customer("p03").Challenge(map[string]string{"purpose": "profile"})
			return
		}
		code := old.Phone("p03").Code(w.T())
		if newest := old.Phone("p03").Messages(w.T())[0]; newest.ID != 3 || !strings.Contains(newest.Text, code) {
			t.Errorf("the code is an old one; the newest message is %d", newest.ID)
		}
	})
}
