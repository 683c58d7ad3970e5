package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// Origin is the request of which work was left to be done later, by whoever comes to it: its trace and its ids. It is kept with the work,
// as JSON, so that all of it is one trace.
type Origin struct {
	Trace       map[string]string `json:"trace,omitempty"`
	Request     string            `json:"request,omitempty"`
	Correlation string            `json:"correlation,omitempty"`
}

// OriginOf is the request that ctx is of.
func OriginOf(ctx context.Context) Origin {
	ids := ContextIDs(ctx)
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return Origin{Trace: carrier, Request: ids.Request, Correlation: ids.Correlation}
}

// Context is ctx continued with the trace and the ids of the request.
func (o Origin) Context(ctx context.Context) context.Context {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(o.Trace))
	if o.Request == "" && o.Correlation == "" {
		return ctx
	}
	return WithIDs(ctx, IDs{Request: o.Request, Correlation: o.Correlation})
}
