package event

import (
	"context"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// Extension attributes that tie an event to what caused it: traceparent and tracestate are CloudEvents' distributed
// tracing extension.
const (
	requestExtension     = "requestid"
	correlationExtension = "correlationid"
)

// Headers that carry the same to consumers that know nothing of CloudEvents.
const (
	requestHeader     = "x-request-id"
	correlationHeader = "x-correlation-id"
)

// Inject gives the event with the context's trace, request id and correlation id as extension attributes, so that whoever
// publishes it later, like an outbox's relay, continues the trace. What the event has already is kept.
func Inject(ctx context.Context, e Event) Event {
	e = e.Clone()
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() && extension(e, "traceparent") == "" {
		propagation.TraceContext{}.Inject(ctx, extensions{&e})
	}
	ids := telemetry.ContextIDs(ctx)
	for name, id := range map[string]string{requestExtension: ids.Request, correlationExtension: ids.Correlation} {
		if telemetry.ValidID(id) && extension(e, name) == "" {
			e.SetExtension(name, id)
		}
	}
	return e
}

// Extract gives the context continued with the trace and ids that the event carries.
func Extract(ctx context.Context, e Event) context.Context {
	ctx = propagation.TraceContext{}.Extract(ctx, extensions{&e})
	return withIDs(ctx, extension(e, requestExtension), extension(e, correlationExtension), e.ID())
}

// withIDs sets the ids that are fit for it; an event that has none starts its own correlation.
func withIDs(ctx context.Context, request, correlation, eventID string) context.Context {
	request = firstValid(request, eventID)
	correlation = firstValid(correlation, request)
	if correlation == "" {
		return ctx
	}
	return telemetry.WithIDs(ctx, telemetry.IDs{Request: request, Correlation: correlation})
}

func firstValid(ids ...string) string {
	for _, id := range ids {
		if telemetry.ValidID(id) {
			return id
		}
	}
	return ""
}

func extension(e Event, name string) string {
	s, _ := e.Extensions()[name].(string)
	return s
}

// extensions lets a propagator read and write an event's extension attributes.
type extensions struct{ e *Event }

func (x extensions) Get(key string) string { return extension(*x.e, key) }

func (x extensions) Set(key, value string) { x.e.SetExtension(key, value) }

func (x extensions) Keys() []string {
	keys := make([]string, 0, len(x.e.Extensions()))
	for key := range x.e.Extensions() {
		keys = append(keys, key)
	}
	return keys
}

// recordHeaders lets a propagator read and write a record's headers.
type recordHeaders struct{ headers *[]kafka.Header }

func (r recordHeaders) Get(key string) string { return header(*r.headers, key) }

func (r recordHeaders) Set(key, value string) {
	*r.headers = append(*r.headers, kafka.Header{Key: key, Value: []byte(value)})
}

func (r recordHeaders) Keys() []string {
	keys := make([]string, len(*r.headers))
	for i, h := range *r.headers {
		keys[i] = h.Key
	}
	return keys
}

// inject adds ctx's trace and ids to a record's headers.
func inject(ctx context.Context, propagator propagation.TextMapPropagator, headers []kafka.Header) []kafka.Header {
	propagator.Inject(ctx, recordHeaders{&headers})
	ids := telemetry.ContextIDs(ctx)
	for name, id := range map[string]string{requestHeader: ids.Request, correlationHeader: ids.Correlation} {
		if telemetry.ValidID(id) {
			headers = append(headers, kafka.Header{Key: name, Value: []byte(id)})
		}
	}
	return headers
}

// extract continues the trace of a record: that of its headers, which the last hop wrote, rather than that of the event,
// which says where it began.
func extract(ctx context.Context, propagator propagation.TextMapPropagator, headers []kafka.Header, e Event) context.Context {
	ctx = propagation.TraceContext{}.Extract(ctx, extensions{&e})
	ctx = propagator.Extract(ctx, recordHeaders{&headers})
	request := firstValid(extension(e, requestExtension), header(headers, requestHeader))
	correlation := firstValid(extension(e, correlationExtension), header(headers, correlationHeader))
	return withIDs(ctx, request, correlation, e.ID())
}
