package telemetry

import (
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

func newRegistry(service, version string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := metric.BuildInfo.With(prometheus.Labels{"service": service, "version": version, "goversion": runtime.Version()}).Gauge()
	build.Set(1)
	// Both collectors work only while they are scraped.
	registry.MustRegister(build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// Observe records a value, with the trace as its exemplar when the trace is being recorded, so that a slow bucket of a
// histogram leads to a slow request.
func Observe(ctx context.Context, observer prometheus.Observer, value float64) {
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		if exemplars, ok := observer.(prometheus.ExemplarObserver); ok {
			exemplars.ObserveWithExemplar(value, exemplar(sc))
			return
		}
	}
	observer.Observe(value)
}

// Count adds to a counter, with an exemplar as Observe does.
func Count(ctx context.Context, counter prometheus.Counter, value float64) {
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		if exemplars, ok := counter.(prometheus.ExemplarAdder); ok {
			exemplars.AddWithExemplar(value, exemplar(sc))
			return
		}
	}
	counter.Add(value)
}

func exemplar(sc trace.SpanContext) prometheus.Labels {
	return prometheus.Labels{"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String()}
}
