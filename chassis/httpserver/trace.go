package httpserver

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// tracing gives the requests that are recorded to otelgin and lets the others pass with nothing but their ids. otelgin
// gathers its attributes before it knows whether anybody wants them, which for an unrecorded request costs more than all
// the rest of this package (see BenchmarkStack).
func tracing(t *telemetry.Telemetry) gin.HandlerFunc {
	recorded := otelgin.Middleware(t.Service,
		otelgin.WithTracerProvider(t.Entry()),
		otelgin.WithPropagators(t.Propagator),
		// The metrics of this package are Prometheus's.
		otelgin.WithMeterProvider(noop.NewMeterProvider()))
	return func(c *gin.Context) {
		caller := first(c.Request.Header[headerTraceparent])
		if caller == "" && t.Sample(rand.Uint64()) || sampled(caller) { //nolint:gosec // not a secret
			recorded(c)
		}
	}
}

// Headers of the W3C Trace Context and Baggage recommendations, in canonical form.
const (
	headerTraceparent = "Traceparent"
	headerBaggage     = "Baggage"
)

// sampled reads the caller's decision: traceparent is version, trace id, span id and flags, and the last flag is it
// (W3C Trace Context, section 3.2).
func sampled(traceparent string) bool {
	const flags = len("00-") + 32 + len("-") + 16 + len("-")
	if len(traceparent) < flags+2 {
		return false
	}
	switch traceparent[flags+1] {
	case '1', '3', '5', '7', '9', 'b', 'd', 'f':
		return true
	}
	return false
}

// traced gives the request's context with its trace: otelgin's span, the caller's trace, or the identity of a trace that
// begins here and is not recorded, whose id still joins the logs of all services.
func traced(r *http.Request, propagator propagation.TextMapPropagator) context.Context {
	ctx := r.Context()
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	if r.Header[headerTraceparent] != nil || r.Header[headerBaggage] != nil {
		ctx = propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
		if trace.SpanContextFromContext(ctx).IsValid() {
			return ctx
		}
	}
	var begun trace.SpanContextConfig
	random(begun.TraceID[:8])
	random(begun.TraceID[8:])
	random(begun.SpanID[:])
	begun.TraceID[0] |= 1 // an id of zeros is invalid
	begun.SpanID[0] |= 1
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(begun))
}

// random fills 8 bytes. Ids name things and guard nothing, so the fast generator will do.
func random(b []byte) {
	binary.LittleEndian.PutUint64(b, rand.Uint64()) //nolint:gosec // not a secret
}
