package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	klog "github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/middleware/metrics"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/trellis-mesh/trellis/bench/server/thing"
)

func trace(ctx context.Context, options thing.Options) (func(context.Context) error, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(options.OTLP), otlptracehttp.WithInsecure())
	if err != nil {
		return nil, fmt.Errorf("open the trace exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(options.Ratio))),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "thing-kratos"))),
	)
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}

func meters() (metric.Int64Counter, metric.Float64Histogram, error) {
	exporter, err := prometheus.New()
	if err != nil {
		return nil, nil, fmt.Errorf("open the metrics exporter: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(exporter),
		sdkmetric.WithView(metrics.DefaultSecondsHistogramView(metrics.DefaultServerSecondsHistogramName)),
	)
	meter := provider.Meter("thing")
	counter, err := metrics.DefaultRequestsCounter(meter, metrics.DefaultServerRequestsCounterName)
	if err != nil {
		return nil, nil, err
	}
	histogram, err := metrics.DefaultSecondsHistogram(meter, metrics.DefaultServerSecondsHistogramName)
	return counter, histogram, err
}

// slogLogger writes Kratos's key-value pairs as JSON.
type slogLogger struct{ handler *slog.Logger }

func jsonLogger() klog.Logger {
	return slogLogger{slog.New(slog.NewJSONHandler(os.Stdout, nil))}
}

var levels = map[klog.Level]slog.Level{
	klog.LevelDebug: slog.LevelDebug, klog.LevelInfo: slog.LevelInfo, klog.LevelWarn: slog.LevelWarn,
	klog.LevelError: slog.LevelError, klog.LevelFatal: slog.LevelError,
}

// Log implements Kratos's Logger.
func (l slogLogger) Log(level klog.Level, keyvals ...any) error {
	attrs := make([]slog.Attr, 0, len(keyvals)/2)
	for i := 0; i+1 < len(keyvals); i += 2 {
		key, _ := keyvals[i].(string)
		attrs = append(attrs, slog.Any(key, keyvals[i+1]))
	}
	l.handler.LogAttrs(context.Background(), levels[level], "", attrs...)
	return nil
}
