package telemetry

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
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

// exemplarEvery is how long an observer goes without another exemplar. Each keeps a trace, so that they must be few; Prometheus takes
// one of each bucket at a scrape.
const exemplarEvery = 10 * time.Second

// Exemplar is the attribute of spans that exemplars lead to: a collector that samples must keep their traces, or the way from a graph to
// a request ends nowhere.
const Exemplar = attribute.Key("exemplar")

// Observe records a value, now and then with the trace as its exemplar when the trace is being recorded, so that a bucket of a
// histogram leads to a request. The span of ctx says that it is one's.
func Observe(ctx context.Context, observer prometheus.Observer, value float64) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() && paceOf(observer).next(time.Now()) {
		if exemplars, ok := observer.(prometheus.ExemplarObserver); ok {
			span.SetAttributes(Exemplar.Bool(true))
			exemplars.ObserveWithExemplar(value, exemplar(span.SpanContext()))
			return
		}
	}
	observer.Observe(value)
}

// ObserveKept is Observe for a trace that collectors keep anyway, since it has an error or took too long: it is always an exemplar.
func ObserveKept(ctx context.Context, observer prometheus.Observer, value float64) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		if exemplars, ok := observer.(prometheus.ExemplarObserver); ok {
			exemplars.ObserveWithExemplar(value, exemplar(span.SpanContext()))
			return
		}
	}
	observer.Observe(value)
}

// Count adds to a counter, with an exemplar as Observe does.
func Count(ctx context.Context, counter prometheus.Counter, value float64) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() && paceOf(counter).next(time.Now()) {
		if exemplars, ok := counter.(prometheus.ExemplarAdder); ok {
			span.SetAttributes(Exemplar.Bool(true))
			exemplars.AddWithExemplar(value, exemplar(span.SpanContext()))
			return
		}
	}
	counter.Add(value)
}

// paces are when each observer and counter had its last exemplar. There are as many as series, which are bounded.
var paces sync.Map

func paceOf(observer any) *pace {
	if p, ok := paces.Load(observer); ok {
		return p.(*pace)
	}
	p, _ := paces.LoadOrStore(observer, new(pace))
	return p.(*pace)
}

// pace is the time of the last exemplar, in nanoseconds.
type pace struct{ last atomic.Int64 }

// next reports whether it is time for another one, to one of those who ask at the same time.
func (p *pace) next(now time.Time) bool {
	last := p.last.Load()
	return now.UnixNano()-last >= int64(exemplarEvery) && p.last.CompareAndSwap(last, now.UnixNano())
}

func exemplar(sc trace.SpanContext) prometheus.Labels {
	return prometheus.Labels{"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String()}
}
