package httpclient

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// The headers that tell the callee about the call, beside the trace's own.
const (
	RequestIDHeader     = "X-Request-Id"
	CorrelationIDHeader = "X-Correlation-Id"
	// DeadlineHeader gives the milliseconds that the caller still waits. It is the header by which Envoy tells an upstream
	// the same thing, so a callee reads one header within and outside a mesh.
	DeadlineHeader = "X-Envoy-Expected-Rq-Timeout-Ms"
	// CallerHeader gives the name of the service that calls, as Envoy does where it is told to.
	CallerHeader = "X-Envoy-Downstream-Service-Cluster"
)

// attempt sends one request: in a client span of its own, with the caller's ids and the time left.
func attempt(o Options) tripper {
	spans := otelhttp.NewTransport(o.Transport,
		otelhttp.WithTracerProvider(o.Tracer),
		otelhttp.WithPropagators(o.Propagator),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithSpanOptions(trace.WithAttributes(semconv.PeerService(o.Name))),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			if operation := OperationFrom(r.Context()); operation != "" {
				return o.Name + " " + operation
			}
			return r.Method + " " + o.Name
		}),
	)
	return withPerTry(o.PerTry, func(r *http.Request) (*http.Response, error) {
		sent := r.Clone(r.Context())
		ids := telemetry.ContextIDs(r.Context())
		setIfAbsent(sent.Header, RequestIDHeader, ids.Request)
		setIfAbsent(sent.Header, CorrelationIDHeader, ids.Correlation)
		if o.Caller != "" && !o.Mesh {
			sent.Header.Set(CallerHeader, o.Caller)
		}
		if o.Forward {
			setIfAbsent(sent.Header, "Authorization", token(auth.Header(r.Context())))
		}
		sent.Header.Set(DeadlineHeader, strconv.FormatInt(o.left(r).Milliseconds(), 10))
		return spans.RoundTrip(sent)
	})
}

// token is an Authorization header that carries a token, or "": a name and a password are for whom they were given to alone.
func token(header string) string {
	if scheme, _, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
		return header
	}
	return ""
}

// left is how long the caller waits for this attempt.
func (o Options) left(r *http.Request) time.Duration {
	deadline, _ := r.Context().Deadline() // withDeadline has set one
	left := max(0, time.Until(deadline))
	if o.PerTry > 0 {
		return min(left, o.PerTry)
	}
	return left
}

func setIfAbsent(h http.Header, name, value string) {
	if value != "" && h.Get(name) == "" {
		h.Set(name, value)
	}
}
