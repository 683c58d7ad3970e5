package sink_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/trellis-mesh/trellis/bench/sink"
)

func TestSinkCountsSpansByService(t *testing.T) {
	s, err := sink.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, compression := range []otlptracehttp.Compression{otlptracehttp.NoCompression, otlptracehttp.GzipCompression} {
		export(t, s.Addr, compression, 3)
	}
	if got := s.Spans()["thing"]; got != 6 {
		t.Errorf("spans of thing = %d, want 6", got)
	}
}

func export(t *testing.T, addr string, compression otlptracehttp.Compression, spans int) {
	t.Helper()
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpoint(addr), otlptracehttp.WithInsecure(),
		otlptracehttp.WithCompression(compression))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "thing"))))
	for range spans {
		_, span := provider.Tracer("test").Start(t.Context(), "span")
		span.End()
	}
	if err := provider.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func TestSinkCountsRecordsByService(t *testing.T) {
	s, err := sink.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exporter, err := otlploghttp.New(t.Context(), otlploghttp.WithEndpoint(s.Addr), otlploghttp.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)),
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", "thing"))))
	for range 3 {
		provider.Logger("test").Emit(t.Context(), otellog.Record{})
	}
	if err := provider.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := s.Records()["thing"]; got != 3 {
		t.Errorf("records of thing = %d, want 3", got)
	}
}
