package sandbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/istirdad/istirdad/bank/banktest"
	"github.com/istirdad/istirdad/gateway/api/apitest"
	"github.com/istirdad/istirdad/gateway/postgres"
	"github.com/istirdad/istirdad/internal/config"
	"github.com/istirdad/istirdad/internal/program"
	"github.com/istirdad/istirdad/internal/redistest"
	"github.com/istirdad/istirdad/internal/sandbox"
	"github.com/istirdad/istirdad/otp/redisstore"
)

// standIns are a sandbox without a gateway, on servers of its own.
type standIns struct {
	sandbox.Options
	urls banktest.URLs
	door net.Listener // where callbacks are expected
}

func startStandIns(t *testing.T, crowd int) standIns {
	t.Helper()
	var lc net.ListenConfig
	door, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = door.Close() })
	s := standIns{door: door, Options: sandbox.Options{
		Polite: true, Crowd: crowd, GatewayOff: true,
		DatabaseURL: postgresql.Database(t).Owner, RedisURL: redistest.Start(t).URL(),
		Callback: "http://" + door.Addr().String(), WriteConfig: filepath.Join(t.TempDir(), "gateway.yaml"),
	}}
	world, err := sandbox.Start(t.Context(), s.Options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	s.urls = banktest.URLs(world.URLs())
	return s
}

// gateways are gateways that know of the stand-ins what was written for them, and of each other nothing. The first takes
// the callbacks.
func (s standIns) gateways(t *testing.T, n int) (channels []string) {
	t.Helper()
	c, err := config.Load(s.WriteConfig, nil)
	if err != nil {
		t.Fatalf("a gateway refuses what was written: %v", err)
	}
	c.Database.Pool, c.Redis.CommandTimeout = 32, 2*time.Second // a crowd and all servers share this machine
	if err := postgres.Migrate(t.Context(), string(c.Database.URL), postgres.MigrateOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		server := httptest.NewUnstartedServer(startGateway(t, c).Channel())
		if i == 0 {
			_ = server.Listener.Close()
			server.Listener = s.door
		}
		server.Start()
		t.Cleanup(server.Close)
		channels = append(channels, server.URL)
	}
	return channels
}

// startGateway is what `gateway serve` does, but for the listeners.
func startGateway(t *testing.T, c config.Config) *program.Gateway {
	t.Helper()
	sealer, err := c.Sealer()
	if err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), string(c.Database.URL), sealer, postgres.Options{Pool: c.Database.Pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	at, err := c.RedisOptions()
	if err != nil {
		t.Fatal(err)
	}
	client, err := redisstore.NewClient(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	made, err := c.Program(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := program.New(made, store, client, sealer)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		gateway.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		gateway.Close()
	})
	return gateway
}

// TestElsewhere: two gateways that the sandbox knows by their servers alone. The cases are the same as at home, and after
// each the sandbox puts everything back.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	s := startStandIns(t, 1)
	w := banktest.Attach(t, s.urls)
	if r := w.Control(http.MethodGet, "/referee", nil); r.Status != http.StatusInternalServerError {
		t.Errorf("before there is a schema the referee says %d %s", r.Status, r.Body)
	}
	w = banktest.Attach(t, s.urls, s.gateways(t, 2)...)
	for _, c := range []struct {
		name string
		play func(*testing.T, *banktest.World)
	}{
		{"path", pathD},
		{"forgive", forgiveOne},
	} {
		if !t.Run(c.name, func(t *testing.T) { c.play(t, w.For(t)) }) {
			return
		}
		w.Reset()
		isAtItsStart(t, w)
	}
}

// TestElsewhereCalledBack: the core's callbacks go where they were asked for.
func TestElsewhereCalledBack(t *testing.T) {
	t.Parallel()
	s := startStandIns(t, 0)
	w := banktest.Attach(t, s.urls, s.gateways(t, 1)...)
	c := w.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	c.Confirm(id).Want(http.StatusAccepted)
	reference := c.Await(id, "credited").Reference
	taken := func(call banktest.CoreCall) bool {
		return call.Call == "callback" && call.Path == "/core/callbacks" && call.Status/100 == 2
	}
	for deadline := time.Now().Add(30 * time.Second); !slices.ContainsFunc(w.History(reference), taken); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) { // the gateway may have asked by itself before it was called
			t.Fatalf("the gateway took no callback: %+v", w.History(reference))
		}
	}
}

// TestForgiveStrangers: a sandbox that doesn't have the gateways' pepper forgives all the same.
func TestForgiveStrangers(t *testing.T) {
	t.Parallel()
	s := startStandIns(t, 1)
	w := banktest.Attach(t, s.urls, s.gateways(t, 1)...)
	stranger := s.Options
	stranger.WriteConfig = ""
	other, err := sandbox.Start(t.Context(), stranger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)

	c := w.Customer("c00001")
	c.Prove()
	for i, wrong := range []int{3, 2, 2} {
		preview := c.Preview(fmt.Sprintf("rq-c00001-%d", i+1)).RefundID
		confirm := "/v1/refunds/" + preview + "/confirm"
		if i == 2 { // five in a row have blocked them
			c.Do(http.MethodPost, "/v1/otp/challenges", object{"purpose": "refund", "refund_id": preview}).Want(423, "locked")
			if err := other.Forgive(t.Context(), "c00001"); err != nil {
				t.Fatal(err)
			}
		}
		entered := c.RefundCode(preview)
		right := entered["code"]
		entered["code"] = notThe(right)
		for range wrong {
			c.Do(http.MethodPost, confirm, entered).Want(422, "code_wrong")
		}
		if i == 2 { // of the tries that are all there again, one is left
			entered["code"] = right
			c.Do(http.MethodPost, confirm, entered).Want(202)
		}
	}
	if v, err := other.Referee(t.Context()); err != nil || v.Verdict != "exact" {
		t.Errorf("the stranger's referee says %+v, %v", v, err)
	}
}

// TestServersKept: with a folder, a world on servers goes on in the schema where it was; without one it leaves nothing.
func TestServersKept(t *testing.T) {
	t.Parallel()
	database, redis := postgresql.Database(t), redistest.Start(t)
	on := banktest.Servers(database.Owner, redis.URL())
	schemas := func() string {
		t.Helper()
		names, err := postgresql.Server(t).SQL(database.Name, `SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$|^public$';`)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	dir := t.TempDir()
	w := apitest.Start(t, on, banktest.Dir(dir))
	c := w.Customer("p03")
	c.Prove()
	id := c.Preview("rq-p03-1").RefundID
	c.Confirm(id).Want(202)
	c.Await(id, "credited")
	w.Close()
	kept := schemas()
	if kept == "" || strings.Contains(kept, "\n") {
		t.Fatalf("kept are the schemas %q", kept)
	}

	w = apitest.Start(t, on, banktest.Dir(dir), banktest.At(w.URLs()))
	if r := c.In(w).Refund(id); r.State != "credited" {
		t.Errorf("the refund is %s", r.State)
	}
	w.Exact()
	apitest.Start(t, on).Close()
	if left := schemas(); left != kept {
		t.Errorf("there are the schemas %q, want %q alone", left, kept)
	}
}
