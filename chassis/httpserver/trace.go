package httpserver

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// tracing makes the server span of each request that is recorded and gives the others nothing but their ids. It follows
// OpenTelemetry's semantic conventions for HTTP servers. otelgin would do the same, but it gathers its attributes before
// it knows whether anybody wants them, computes metrics that nobody reads, and writes the texts of errors, which may hold
// a person's data, into the span.
type tracing struct {
	telemetry *telemetry.Telemetry
	objective time.Duration // 0 is none
	tracer    trace.Tracer
}

func newTracing(t *telemetry.Telemetry, objective time.Duration) tracing {
	return tracing{telemetry: t, objective: objective, tracer: t.Entry().Tracer("github.com/trellis-mesh/trellis/chassis/httpserver")}
}

// Headers of the W3C Trace Context and Baggage recommendations, in canonical form.
const (
	headerTraceparent = "Traceparent"
	headerBaggage     = "Baggage"
)

// begin gives the request's context with its trace: a span when it is recorded, otherwise the caller's trace, or the
// identity of a trace that begins here and is not recorded, whose id still joins the logs of all services. The span is
// nil when the request is not recorded. A caller's decision is followed; a traceparent that cannot be read is none.
func (t tracing) begin(c *gin.Context, op *operation) (context.Context, trace.Span) {
	r := c.Request
	ctx := r.Context()
	if r.Header[headerTraceparent] != nil || r.Header[headerBaggage] != nil {
		ctx = t.telemetry.Propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	caller := trace.SpanContextFromContext(ctx)
	switch {
	case caller.IsSampled(), !caller.IsValid() && t.telemetry.Sample(rand.Uint64()): //nolint:gosec // not a secret
		return t.tracer.Start(ctx, op.span.name, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(op.span.attributes...), trace.WithAttributes(requestAttributes(c)...))
	case caller.IsValid():
		return ctx, nil
	}
	var begun trace.SpanContextConfig
	random(begun.TraceID[:8])
	random(begun.TraceID[8:])
	random(begun.SpanID[:])
	begun.TraceID[0] |= 1 // an id of zeros is invalid
	begun.SpanID[0] |= 1
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(begun)), nil
}

// end closes the span. Only a server's own failure makes it an error: a status from 500, or an answer that was cut off,
// whose status is 0 when nothing of it went out. A request that took longer than it should says so, since whoever samples
// traces by their spans knows no service's objective.
func (t tracing) end(span trace.Span, status int, cut bool, elapsed time.Duration) {
	if span == nil {
		return
	}
	if t.exceeded(elapsed) {
		span.SetAttributes(attribute.Bool("slo.exceeded", true))
	}
	if status != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	}
	if cut || status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
		kind := "aborted"
		if !cut {
			kind = strconv.Itoa(status)
		}
		span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	}
	span.End()
}

// kept reports whether a collector that samples keeps the request's trace whatever else is in it.
func (t tracing) kept(status int, cut bool, elapsed time.Duration) bool {
	return cut || status >= http.StatusInternalServerError || t.exceeded(elapsed)
}

func (t tracing) exceeded(elapsed time.Duration) bool {
	return t.objective > 0 && elapsed > t.objective
}

// spanStart is what all spans of an operation begin with.
type spanStart struct {
	name       string
	attributes []attribute.KeyValue
}

func newSpanStart(method, route string) spanStart {
	attributes := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(conventionalMethod(method))}
	switch {
	case route == "" && method == otherMethod:
		return spanStart{name: "HTTP", attributes: attributes}
	case route == "":
		return spanStart{name: method, attributes: attributes}
	}
	return spanStart{name: method + " " + route, attributes: append(attributes, semconv.HTTPRoute(route))}
}

// conventionalMethod is the conventions' word for a method that they do not know.
func conventionalMethod(method string) string {
	if method == otherMethod {
		return "_OTHER"
	}
	return method
}

// requestAttributes are those of one request. The query is left out, since it may hold secrets. What comes from outside is
// made valid UTF-8: one span with other bytes would keep its whole batch from being exported.
func requestAttributes(c *gin.Context) []attribute.KeyValue {
	r := c.Request
	attrs := make([]attribute.KeyValue, 0, 10)
	attrs = append(attrs, semconv.URLPath(valid(r.URL.Path)), semconv.URLScheme(scheme(r)))
	if host, port := splitAddr(r.Host); host != "" {
		attrs = append(attrs, semconv.ServerAddress(valid(host)))
		if port > 0 {
			attrs = append(attrs, semconv.ServerPort(port))
		}
	}
	if method := r.Method; knownMethod(method) == otherMethod {
		attrs = append(attrs, semconv.HTTPRequestMethodOriginal(valid(method)))
	}
	if version, ok := strings.CutPrefix(r.Proto, "HTTP/"); ok {
		attrs = append(attrs, semconv.NetworkProtocolVersion(version))
	}
	peer, _ := splitAddr(r.RemoteAddr)
	if peer != "" {
		attrs = append(attrs, semconv.NetworkPeerAddress(peer))
	}
	if client := c.ClientIP(); client != "" && client != peer {
		attrs = append(attrs, semconv.ClientAddress(valid(client)))
	}
	if agent := r.UserAgent(); agent != "" {
		attrs = append(attrs, semconv.UserAgentOriginal(valid(agent)))
	}
	return attrs
}

// valid replaces what is no UTF-8.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// splitAddr takes host:port apart; the port is 0 when there is none.
func splitAddr(addr string) (string, int) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return strings.Trim(addr, "[]"), 0
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return host, 0
	}
	return host, port
}

// random fills 8 bytes. Ids name things and guard nothing, so the fast generator will do.
func random(b []byte) {
	binary.LittleEndian.PutUint64(b, rand.Uint64()) //nolint:gosec // not a secret
}
