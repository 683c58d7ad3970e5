package eventstore

import (
	"context"

	"go.opentelemetry.io/otel/propagation"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

const (
	requestKey     = "requestid"
	correlationKey = "correlationid"
)

// metadataOf gives what ties an event to what caused it: the context's trace and ids.
func metadataOf(ctx context.Context) map[string]string {
	metadata := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, metadata)
	ids := telemetry.ContextIDs(ctx)
	for key, id := range map[string]string{requestKey: ids.Request, correlationKey: ids.Correlation} {
		if telemetry.ValidID(id) {
			metadata[key] = id
		}
	}
	return metadata
}

// continued is ctx with the trace and ids of an event.
func continued(ctx context.Context, metadata map[string]string) context.Context {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(metadata))
	ids := telemetry.IDs{Request: metadata[requestKey], Correlation: metadata[correlationKey]}
	if !telemetry.ValidID(ids.Request) || !telemetry.ValidID(ids.Correlation) {
		return ctx
	}
	return telemetry.WithIDs(ctx, ids)
}
