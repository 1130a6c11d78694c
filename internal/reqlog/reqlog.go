// Package reqlog writes one structured event per request: what was called, how it ended, how long it took.
//
// A handler adds to the event of its request's context; the middleware writes it once, at the end. There are no
// methods for customers, numbers or bodies on purpose: an event can't hold what has no place in a log.
package reqlog

import (
	"context"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
)

// event is what is known of a request so far. It belongs to the request's own goroutine.
type event struct {
	id     string
	role   string
	client string
	code   string
	err    error
}

type key struct{}

// With begins the event of a request.
func With(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, key{}, &event{id: id})
}

func of(ctx context.Context) *event {
	if e, ok := ctx.Value(key{}).(*event); ok {
		return e
	}
	return &event{} // outside a request: noted nowhere
}

// Caller notes in which role the caller acts and through which program.
func Caller(ctx context.Context, role, client string) {
	e := of(ctx)
	e.role, e.client = role, client
}

// Code notes the problem's code that the request was refused with.
func Code(ctx context.Context, code string) { of(ctx).code = code }

// Fail notes an error that isn't the caller's doing. Errors of this repository hold no personal data.
func Fail(ctx context.Context, err error) { of(ctx).err = err }

// Middleware writes the event when the request is done.
func Middleware(log *slog.Logger) gin.HandlerFunc {
	return func(g *gin.Context) {
		began := time.Now()
		g.Next()
		e := of(g.Request.Context())
		route := g.FullPath()
		if route == "" {
			route = "none" // an unknown path is whatever somebody typed
		}
		attrs := []slog.Attr{
			slog.String("request_id", e.id),
			slog.String("method", g.Request.Method),
			slog.String("route", route),
			slog.Int("status", g.Writer.Status()),
			slog.Duration("took", time.Since(began)),
		}
		for _, a := range []slog.Attr{slog.String("role", e.role), slog.String("client", e.client), slog.String("code", e.code)} {
			if a.Value.String() != "" {
				attrs = append(attrs, a)
			}
		}
		level := slog.LevelInfo
		if e.err != nil {
			level = slog.LevelError
			attrs = append(attrs, slog.String("err", e.err.Error()))
		}
		log.LogAttrs(g.Request.Context(), level, "request", attrs...)
	}
}
