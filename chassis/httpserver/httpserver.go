package httpserver

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/fault"
	"github.com/trellis-mesh/trellis/chassis/health"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// Options describe a server. Telemetry is required; every other zero value stands for a safe default.
type Options struct {
	// Addr is where the server listens; ":8080", for the admin server ":9090".
	Addr string
	// Contract is the OpenAPI document. Without one nothing is validated.
	Contract []byte
	// Authorize decides about requests to operations with security; auth.Verifier has one. It is needed when the contract
	// has such operations, and never called for others.
	Authorize Authorize
	// Telemetry gives the logger, the registry and the tracer.
	Telemetry *telemetry.Telemetry
	// Health is served at /health/live and /health/ready; not at all when nil.
	Health *health.Set
	// Fault is applied by the API server and set through the admin server; nil for none.
	Fault *fault.Injector
	// BodyLimit bounds a request's body in bytes; 1 MiB. An operation's x-body-limit in the contract wins.
	BodyLimit int64
	// RequestTimeout is the deadline in a request's context; 15 s. An operation's x-timeout wins.
	RequestTimeout time.Duration
	// ReadHeaderTimeout and ReadTimeout (both RequestTimeout: two that differ cost one more timer a request), WriteTimeout
	// (RequestTimeout + 15 s; for the admin server 2 min 30 s, as profiles take their time) and IdleTimeout (2 min) bound the
	// connection.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxHeaderBytes bounds a request's headers; 64 KiB.
	MaxHeaderBytes int
	// Unmeasured leaves requests out of the metrics, to see what those cost.
	Unmeasured bool
	// TrustedProxies are the networks whose X-Forwarded-For is believed; none.
	TrustedProxies []string
	// Objective is within how long an answer is good enough. The latency histogram has a bound there, so that the share of such
	// answers is exact. None when 0.
	Objective time.Duration
	// NewID makes request ids; 128 random bits in hex when nil.
	NewID func() string
}

func (o Options) withDefaults() (Options, error) {
	if o.Telemetry == nil {
		return o, errors.New("httpserver: Options.Telemetry is nil; make one with telemetry.New")
	}
	orInt := func(v *int64, fallback int64) {
		if *v <= 0 {
			*v = fallback
		}
	}
	orDuration := func(v *time.Duration, fallback time.Duration) {
		if *v <= 0 {
			*v = fallback
		}
	}
	orInt(&o.BodyLimit, 1<<20)
	orDuration(&o.RequestTimeout, 15*time.Second)
	orDuration(&o.ReadHeaderTimeout, o.RequestTimeout)
	orDuration(&o.ReadTimeout, max(o.RequestTimeout, o.ReadHeaderTimeout))
	orDuration(&o.WriteTimeout, o.RequestTimeout+15*time.Second)
	orDuration(&o.IdleTimeout, 2*time.Minute)
	if o.MaxHeaderBytes <= 0 {
		o.MaxHeaderBytes = 64 << 10
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	return o, nil
}

// Server is one listener with its routes.
type Server struct {
	opt        Options
	engine     *gin.Engine
	refusal    *gin.Engine // answers what the engine must not route; nil for the admin server
	operations *operations // nil for the admin server
	secured    bool
	tracing    tracing
	draining   atomic.Bool
	active     prometheus.Gauge // nil for the admin server
	streams    streams
	listening  listening
}

// New makes the API server: the routes that Router takes run behind the whole stack described in the package comment.
func New(opt Options) (*Server, error) {
	if opt.Addr == "" {
		opt.Addr = ":8080"
	}
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	contract, err := loadContract(opt)
	if err != nil {
		return nil, fmt.Errorf("read the contract: %w", err)
	}
	if secured(contract) && opt.Authorize == nil {
		return nil, errors.New("httpserver: the contract has security and Options.Authorize is nil; take an auth.Verifier's")
	}
	engine, err := newEngine(opt)
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(opt)
	if err != nil {
		return nil, fmt.Errorf("register the HTTP metrics: %w", err)
	}
	s := &Server{
		opt: opt, engine: engine, active: metrics.connections,
		operations: newOperations(opt, contract, metrics), secured: secured(contract), tracing: newTracing(opt.Telemetry, opt.Objective),
	}
	// Routes registered before Use are not behind what Use adds: probes are neither traced, measured, logged nor failed.
	mountHealth(engine, opt.Health)
	engine.Use(s.observe)
	if s.secured {
		engine.Use(s.authorize)
	}
	engine.Use(s.validate)
	if s.refusal, err = newEngine(opt); err != nil {
		return nil, err
	}
	s.refusal.Use(s.observe, refuseNeedlessEscape)
	return s, nil
}

// newEngine makes a gin engine that answers with problems only.
func newEngine(opt Options) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.ContextWithFallback = true // a *gin.Context that is used as a context is the request's
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // a path that is not in the contract is not found
	if err := engine.SetTrustedProxies(opt.TrustedProxies); err != nil {
		return nil, fmt.Errorf("httpserver: Options.TrustedProxies: %w", err)
	}
	engine.NoRoute(func(c *gin.Context) {
		problem.Abort(c, problem.NotFound("route_not_found", "There is nothing at this path."))
	})
	engine.NoMethod(func(c *gin.Context) {
		problem.Abort(c, problem.New(http.StatusMethodNotAllowed, "method_not_allowed", "The path exists, but not with this method."))
	})
	return engine, nil
}

func mountHealth(engine *gin.Engine, set *health.Set) {
	if set == nil {
		return
	}
	for path, handler := range map[string]http.Handler{"/health/live": set.Live(), "/health/ready": set.Ready()} {
		engine.GET(path, gin.WrapH(handler))
		engine.HEAD(path, gin.WrapH(handler))
	}
}

// Secured tells whether any operation of the contract asks for a token.
func (s *Server) Secured() bool { return s.secured }

// Router takes the handlers.
func (s *Server) Router() *gin.Engine { return s.engine }

// Handler is the whole server without a listener, for tests.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	if s.refusal != nil && r.URL.RawPath != "" && needlessEscape(r.URL.RawPath) {
		s.refusal.ServeHTTP(w, r)
		return
	}
	s.engine.ServeHTTP(w, r)
}
