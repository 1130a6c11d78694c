package reqlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/istirdad/istirdad/internal/reqlog"
)

// event is what one request of GET /things/7?secret=x leaves in the log.
func event(t *testing.T, path string, handle gin.HandlerFunc) map[string]any {
	t.Helper()
	var logged bytes.Buffer
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(func(g *gin.Context) {
		g.Request = g.Request.WithContext(reqlog.With(g.Request.Context(), "id-1"))
	}, reqlog.Middleware(reqlog.Config{Log: slog.New(slog.NewJSONHandler(&logged, nil))}))
	engine.GET("/things/:thing", handle)
	engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	var e map[string]any
	if err := json.Unmarshal(logged.Bytes(), &e); err != nil { // also when there were two
		t.Fatalf("logged is %q: %v", logged.String(), err)
	}
	if took, ok := e["took"].(float64); !ok || took < 0 {
		t.Errorf("it took %v", e["took"])
	}
	delete(e, "took")
	delete(e, "time")
	return e
}

func TestOneEventPerRequest(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		handle gin.HandlerFunc
		want   map[string]any
	}{
		"done": {"/things/7?secret=x", func(g *gin.Context) {
			reqlog.Caller(g.Request.Context(), "customer", "web")
			g.Status(http.StatusCreated)
		}, map[string]any{
			"level": "INFO", "msg": "request", "request_id": "id-1", "method": "GET", "route": "/things/:thing", "status": 201.0,
			"role": "customer", "client": "web",
		}},
		"refused": {"/things/7", func(g *gin.Context) {
			reqlog.Code(g.Request.Context(), "not_found")
			g.Status(http.StatusNotFound)
		}, map[string]any{
			"level": "INFO", "msg": "request", "request_id": "id-1", "method": "GET", "route": "/things/:thing", "status": 404.0,
			"code": "not_found",
		}},
		"our fault": {"/things/7", func(g *gin.Context) {
			reqlog.Code(g.Request.Context(), "try_again")
			reqlog.Fail(g.Request.Context(), errors.New("disk full"))
			g.Status(http.StatusServiceUnavailable)
		}, map[string]any{
			"level": "ERROR", "msg": "request", "request_id": "id-1", "method": "GET", "route": "/things/:thing", "status": 503.0,
			"code": "try_again", "err": "disk full",
		}},
		// What somebody typed is no route, and isn't logged as one.
		"no route": {"/2900000015", nil, map[string]any{
			"level": "INFO", "msg": "request", "request_id": "id-1", "method": "GET", "route": "none", "status": 404.0,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.handle == nil {
				c.handle = func(*gin.Context) {}
			}
			if diff := cmp.Diff(c.want, event(t, c.path, c.handle)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestOutsideARequest there is nothing to note on, and no harm done.
func TestOutsideARequest(*testing.T) {
	ctx := context.Background()
	reqlog.Caller(ctx, "customer", "web")
	reqlog.Code(ctx, "internal")
	reqlog.Fail(ctx, errors.New("x"))
}
