package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/istirdad/istirdad/bank"
	"github.com/istirdad/istirdad/internal/reqlog"
	"github.com/istirdad/istirdad/internal/telemetry"
)

// Callbacks takes what the core tells us. It returns ErrCallback when the signature doesn't hold, and nil only when
// the callback is stored.
type Callbacks interface {
	Receive(r *http.Request, body []byte) error
}

// ErrCallback: a callback that isn't the core's.
var ErrCallback = fmt.Errorf("callback refused: %w", bank.ErrUnauthenticated)

// Config is what the channel API works with.
type Config struct {
	Path           *bank.Path
	Identity       bank.Identity // who calls; of a session that was ended nobody (bank.Doorkeeper)
	Callbacks      Callbacks
	Reference      bool     // serve the contract at /openapi.yaml and, for people, at /reference
	TrustedProxies []string // CIDRs whose X-Forwarded-For is believed; none by default
	Log            *slog.Logger
	Metrics        reqlog.Metrics // nil: nobody counts
	Tracer         trace.Tracer   // nil: no trace begins here
}

type server struct {
	Config
	huma       huma.API
	operations []*huma.Operation // in the order of the path
}

// New returns the channel API.
func New(c Config) (http.Handler, error) {
	s, engine, err := build(c)
	if err != nil {
		return nil, err
	}
	engine.POST("/core/callbacks", s.callback)
	if c.Reference {
		if err := s.refer(engine); err != nil {
			return nil, err
		}
	}
	return engine, nil
}

func build(c Config) (*server, *gin.Engine, error) {
	speakProblem()
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	if err := engine.SetTrustedProxies(c.TrustedProxies); err != nil {
		return nil, nil, fmt.Errorf("trusted proxies: %w", err)
	}
	s := &server{Config: c}
	engine.Use(s.begin, reqlog.Middleware(reqlog.Config{Log: c.Log, Metrics: c.Metrics, Tracer: c.Tracer}), s.recoverPanic)
	engine.NoRoute(func(g *gin.Context) { s.refuse(g, errNoRoute) })
	engine.NoMethod(func(g *gin.Context) { s.refuse(g, errNoMethod) })
	s.huma = humagin.New(engine, contract())
	s.routes()
	openAnswers(s.huma.OpenAPI())
	nameCodes(s.huma.OpenAPI())
	return s, engine, nil
}

// speakProblem makes huma's own refusals problems of ours, and makes it tell "code" from "Code". huma keeps both in
// package variables.
var speakProblem = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, findings ...error) huma.StatusError {
		return told(ctx.Context(), refusalOf(status, findings))
	}
	huma.NewError = func(int, string, ...error) huma.StatusError { // for schemas alone: it knows of no request
		return newProblem(context.Background(), errMalformed)
	}
})

// begin gives every request its id, its limits, and the headers that every answer carries.
func (s *server) begin(g *gin.Context) {
	id := uuid.Must(uuid.NewV7()).String()
	header := g.Writer.Header()
	header.Set("X-Request-Id", id)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	ctx := context.WithValue(g.Request.Context(), requestKey{}, request{
		id: id, path: g.Request.URL.EscapedPath(), english: wantsEnglish(g.GetHeader("Accept-Language")),
	})
	g.Request = g.Request.WithContext(reqlog.With(ctx, id))
	g.Request.Body = http.MaxBytesReader(g.Writer, g.Request.Body, bodyMax)
	g.Next()
}

func (s *server) recoverPanic(g *gin.Context) {
	defer func() {
		if p := recover(); p != nil { // its type is all that may be logged: a value could hold anything
			s.refuse(g, fmt.Errorf("panic: %T", p))
		}
	}()
	g.Next()
}

// refuse answers outside of huma's handlers. When an answer has begun already, it only logs.
func (s *server) refuse(g *gin.Context, err error) {
	defer g.Abort()
	p := told(g.Request.Context(), err)
	if g.Writer.Written() {
		return
	}
	for name, values := range p.GetHeaders() {
		g.Writer.Header()[name] = values
	}
	g.Header("Content-Type", p.ContentType(""))
	g.Status(p.Status)
	_ = writeJSON(g.Writer, p) // whoever doesn't listen any more needs no answer
}

// op describes one route for the contract.
func op(id, method, path, summary, tag string) operation {
	return operation{Operation: huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{tag},
		MaxBodyBytes: -1, // begin has set the limit, for huma's routes and the others
	}}
}

// route registers one handler of the path: for customers, and for tellers who speak for one.
func route[I, O any](s *server, o operation, handle func(context.Context, bank.Caller, *I) (*O, error)) {
	routeThrough(s, customers, o, handle)
}

// routeThrough registers one handler behind a door. It is the only place where a token becomes a caller and an error
// becomes an answer.
func routeThrough[I, O any](s *server, d door, o operation, handle func(context.Context, bank.Caller, *I) (*O, error)) {
	o.Middlewares = huma.Middlewares{s.authenticate(d)}
	o.Security = d.asks
	huma.Register(s.huma, o.Operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, callerOf(ctx), in)
		if err != nil {
			return nil, told(ctx, err)
		}
		return out, nil
	})
	s.operations = append(s.operations, describe(s.huma, d, o))
}

// told turns an error into the problem that the caller sees. Those that aren't the caller's doing go to the log.
func told(ctx context.Context, err error) *Problem {
	p := newProblem(ctx, err)
	reqlog.Code(ctx, p.Code)
	if p.Status >= http.StatusInternalServerError {
		reqlog.Fail(ctx, err)
	}
	return p
}

type callerKey struct{}

func callerOf(ctx context.Context) bank.Caller {
	c, _ := ctx.Value(callerKey{}).(bank.Caller)
	return c
}

// authenticate runs before anything of the request but its headers is read.
func (s *server) authenticate(d door) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		caller, err := bank.Authenticate(ctx.Context(), s.Identity, headers(ctx, "Authorization"))
		if err == nil {
			reqlog.Caller(ctx.Context(), roleOf(caller), caller.Client)
			caller, err = d.let(ctx.Context(), s.Path, caller, headers(ctx, assistedHeader))
		}
		if err != nil {
			s.refuse(humagin.Unwrap(ctx), err)
			return
		}
		caller.Trace = telemetry.Traceparent(ctx.Context())
		next(huma.WithValue(strictly{ctx}, callerKey{}, caller))
	}
}

// headers are all values of a header, in the order in which they came.
func headers(ctx huma.Context, name string) []string {
	var values []string
	ctx.EachHeader(func(n, value string) {
		if n == name {
			values = append(values, value)
		}
	})
	return values
}

// callback takes a hint of the core's: 204 once it is stored.
func (s *server) callback(g *gin.Context) {
	body, err := io.ReadAll(g.Request.Body)
	if err != nil {
		s.refuse(g, unread(err))
		return
	}
	switch err := s.Callbacks.Receive(g.Request, body); {
	case err == nil:
		g.Status(http.StatusNoContent)
		g.Writer.WriteHeaderNow()
	case errors.Is(err, ErrCallback):
		s.refuse(g, err)
	default:
		s.refuse(g, fmt.Errorf("%w: %w", bank.ErrUnavailable, err))
	}
}

// formats is JSON and nothing else, read strictly.
func formats() map[string]huma.Format {
	return map[string]huma.Format{
		"application/json": {Marshal: writeJSON, Unmarshal: unmarshalStrictly},
		"json":             {Marshal: writeJSON, Unmarshal: unmarshalStrictly},
	}
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
