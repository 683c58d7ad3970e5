package telemetry

import (
	"context"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// bound lets no more records or spans into a batch processor than fit its queue, and counts those it turns away and those
// whose export fails. The processors drop them too, but tell nobody.
type bound struct {
	size        int64
	held        atomic.Int64
	full, fails prometheus.Counter
}

func newBound(signal string, size int, lost *prometheus.CounterVec) *bound {
	return &bound{size: int64(size), full: lost.WithLabelValues(signal, "queue_full"), fails: lost.WithLabelValues(signal, "export_failed")}
}

// take reports whether there is room for one more.
func (b *bound) take() bool {
	if b.held.Add(1) <= b.size {
		return true
	}
	b.held.Add(-1)
	b.full.Inc()
	return false
}

// give is told of an export.
func (b *bound) give(n int, err error) {
	b.held.Add(-int64(n))
	if err != nil {
		b.fails.Add(float64(n))
	}
}

// boundRecords stands before a batch processor of log records, boundRecordExporter behind it.
type boundRecords struct {
	sdklog.Processor
	*bound
}

func (p boundRecords) OnEmit(ctx context.Context, record *sdklog.Record) error {
	if !p.take() {
		return nil
	}
	return p.Processor.OnEmit(ctx, record)
}

type boundRecordExporter struct {
	sdklog.Exporter
	*bound
}

func (e boundRecordExporter) Export(ctx context.Context, records []sdklog.Record) error {
	err := e.Exporter.Export(ctx, records)
	e.give(len(records), err)
	return err
}

// boundSpans stands before a batch processor of spans, boundSpanExporter behind it.
type boundSpans struct {
	sdktrace.SpanProcessor
	*bound
}

func (p boundSpans) OnEnd(span sdktrace.ReadOnlySpan) {
	if span.SpanContext().IsSampled() && p.take() {
		p.SpanProcessor.OnEnd(span)
	}
}

type boundSpanExporter struct {
	sdktrace.SpanExporter
	*bound
}

func (e boundSpanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.give(len(spans), err)
	return err
}
