package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// Options say who speaks and where to.
type Options struct {
	// Service and Version name the program in every span, log line and in build_info; Environment is left out when empty.
	Service, Version, Environment string
	// Instance tells replicas apart; the host's name when empty.
	Instance string
	// Endpoint is the base URL of an OTLP/HTTP collector, such as http://collector:4318, that gets spans and log records.
	// Empty exports nothing: trace ids still pass through, spans are not recorded.
	Endpoint string
	// SpansOnly sends no log records to Endpoint, which takes three times as much of a processor as all other telemetry together: for
	// where an agent collects Output.
	SpansOnly bool
	// Ratio is the share of traces begun here that are recorded, 0 to 1. A caller's decision is always followed.
	Ratio float64
	// Output receives the log; os.Stdout when nil.
	Output io.Writer
	// LogDelay is how long a line below warning may be held back to be written together with others; 0 writes each at once.
	LogDelay time.Duration
	// Level is the log level to begin with; the zero value is Info.
	Level slog.Level
	// Exporter is used instead of Endpoint; tests pass an in-memory one.
	Exporter sdktrace.SpanExporter
	// Attributes are added to the resource of every span and exported log record.
	Attributes []attribute.KeyValue
}

// Telemetry is one program's logs, traces and metrics.
type Telemetry struct {
	// Service and Version are those of Options.
	Service, Version string
	// Log writes JSON with the context's ids; Level changes its level at once.
	Log   *slog.Logger
	Level *slog.LevelVar
	// Registry holds every metric of the program.
	Registry *prometheus.Registry
	// Tracing makes spans; Propagator carries them over the wire (W3C traceparent, tracestate and baggage).
	Tracing    trace.TracerProvider
	Propagator propagation.TextMapPropagator

	provider *sdktrace.TracerProvider
	entry    trace.TracerProvider
	ratio    float64
	lines    *LineBuffer
	records  *sdklog.LoggerProvider // nil when no records are exported
	written  *slog.Logger           // like Log, but exports nothing
}

// The batch processors' bounds, of spans and of log records each. The queue is larger than the library's 2048 so that a
// burst of a few thousand requests a second is not lost while one batch is on its way; a slot costs 16 bytes for a span, and
// some 500 for a record.
const (
	exportQueue    = 8192
	exportBatch    = 512
	exportInterval = time.Second
)

// New makes the telemetry of a program. It neither waits for the collector nor fails when it is away.
func New(ctx context.Context, opt Options) (*Telemetry, error) {
	if opt.Service == "" {
		return nil, errors.New("telemetry: Options.Service is empty; give the program's name")
	}
	if opt.Ratio < 0 || opt.Ratio > 1 {
		return nil, fmt.Errorf("telemetry: Options.Ratio is %v; give a share from 0 to 1", opt.Ratio)
	}
	if opt.Output == nil {
		opt.Output = os.Stdout
	}
	level := new(slog.LevelVar)
	level.Set(opt.Level)
	t := &Telemetry{
		Service: opt.Service, Version: opt.Version,
		Level:      level,
		Registry:   newRegistry(opt.Service, opt.Version),
		Propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
	out := opt.Output
	if opt.LogDelay > 0 {
		t.lines = NewLineBuffer(out, opt.LogDelay)
		out = t.lines
	}
	t.written = slog.New(NewHandler(out, level)).With(slog.String("service", opt.Service))
	t.Log = t.written
	lost := metric.TelemetryLost.CounterVec()
	t.Registry.MustRegister(lost)
	if err := t.startTracing(ctx, opt, newBound("spans", exportQueue, lost)); err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	if err := t.startLogging(ctx, opt, newBound("logs", exportQueue, lost)); err != nil {
		return nil, fmt.Errorf("start the export of log records: %w", err)
	}
	return t, nil
}

// startLogging has Log write to the collector, too.
func (t *Telemetry) startLogging(ctx context.Context, opt Options, bound *bound) error {
	if opt.Endpoint == "" || opt.SpansOnly {
		return nil
	}
	target, err := signalURL(opt.Endpoint, "logs")
	if err != nil {
		return err
	}
	exporter, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(target))
	if err != nil {
		return err
	}
	batches := sdklog.NewBatchProcessor(boundRecordExporter{exporter, bound}, sdklog.WithMaxQueueSize(exportQueue),
		sdklog.WithExportMaxBatchSize(exportBatch), sdklog.WithExportInterval(exportInterval))
	t.records = sdklog.NewLoggerProvider(sdklog.WithResource(resourceOf(opt)), sdklog.WithProcessor(boundRecords{batches, bound}),
		sdklog.WithAllowKeyDuplication()) // exportHandler leaves none
	export := &exportHandler{level: t.Level, logger: t.records.Logger("github.com/trellis-mesh/trellis/chassis/telemetry")}
	t.Log = slog.New(slog.NewMultiHandler(t.written.Handler(), export))
	return nil
}

func (t *Telemetry) startTracing(ctx context.Context, opt Options, bound *bound) error {
	exporter := opt.Exporter
	if exporter == nil && opt.Endpoint != "" {
		target, err := signalURL(opt.Endpoint, "traces")
		if err != nil {
			return err
		}
		if exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target)); err != nil {
			return err
		}
	}
	res := sdktrace.WithResource(resourceOf(opt))
	if exporter == nil {
		t.provider = sdktrace.NewTracerProvider(res, sdktrace.WithSampler(sdktrace.NeverSample()))
		t.Tracing, t.entry = t.provider, t.provider
		return nil
	}
	batches := sdktrace.NewBatchSpanProcessor(boundSpanExporter{exporter, bound}, sdktrace.WithMaxQueueSize(exportQueue),
		sdktrace.WithMaxExportBatchSize(exportBatch), sdktrace.WithBatchTimeout(exportInterval))
	processor := sdktrace.WithSpanProcessor(boundSpans{batches, bound})
	t.ratio = opt.Ratio
	t.provider = sdktrace.NewTracerProvider(res, processor,
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(opt.Ratio))))
	t.entry = sdktrace.NewTracerProvider(res, processor, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	t.Tracing = t.provider
	return nil
}

// signalURL is the collector's address for "traces" or "logs": the base URL with v1/traces appended, as the OTLP
// specification builds it from OTEL_EXPORTER_OTLP_ENDPOINT.
func signalURL(endpoint, signal string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("the collector's endpoint %q is no http or https URL; give one like http://collector:4318", endpoint)
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1/traces")
	return u.JoinPath("v1", signal).String(), nil
}

func resourceOf(opt Options) *resource.Resource {
	instance := opt.Instance
	if instance == "" {
		instance, _ = os.Hostname() // an unnamed host leaves the attribute out
	}
	attrs := []attribute.KeyValue{
		semconv.ServiceName(opt.Service),
		semconv.TelemetrySDKLanguageGo,
		semconv.TelemetrySDKName("opentelemetry"),
		semconv.TelemetrySDKVersion(otel.Version()),
	}
	if opt.Version != "" {
		attrs = append(attrs, semconv.ServiceVersion(opt.Version))
	}
	if instance != "" {
		attrs = append(attrs, semconv.ServiceInstanceID(instance))
	}
	if opt.Environment != "" {
		attrs = append(attrs, semconv.DeploymentEnvironmentName(opt.Environment))
	}
	return resource.NewWithAttributes(semconv.SchemaURL, append(attrs, opt.Attributes...)...)
}

// Install makes this the telemetry of libraries that look for a global one: OpenTelemetry's provider, propagator and
// error handler, and slog's default logger. A program calls it once; tests do not.
func (t *Telemetry) Install() {
	otel.SetTracerProvider(t.Tracing)
	otel.SetTextMapPropagator(t.Propagator)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		t.written.Warn("telemetry", slog.String("error", err.Error())) // exported, it would be the next to fail
	}))
	slog.SetDefault(t.Log)
}

// Entry makes spans that are recorded unless their parent is not. The HTTP server decides with Sample whether a request
// is recorded, before it spends anything on it, and gives only the recorded ones to its instrumentation.
func (t *Telemetry) Entry() trace.TracerProvider { return t.entry }

// Sample tosses whether a trace that begins now is recorded, with the probability Ratio; draw is a random number from
// all of uint64.
func (t *Telemetry) Sample(draw uint64) bool {
	return t.ratio >= 1 || draw < uint64(t.ratio*(1<<63)*2)
}

// Tracer gives a tracer named after the package that uses it.
func (t *Telemetry) Tracer(name string) trace.Tracer { return t.Tracing.Tracer(name) }

// FlushLog writes the log lines that are held back.
func (t *Telemetry) FlushLog() error {
	if t.lines == nil {
		return nil
	}
	return t.lines.Flush()
}

// Shutdown exports the spans and log records that are still held, writes the log lines that are held back, and stops. It gives up when
// ctx ends. The logger works on, without holding lines back or exporting them.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	if err := t.provider.ForceFlush(ctx); err != nil {
		errs = append(errs, fmt.Errorf("export the last spans: %w", err))
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		errs = append(errs, fmt.Errorf("stop tracing: %w", err))
	}
	if t.records != nil {
		if err := t.records.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("export the last log records: %w", err))
		}
	}
	if t.lines != nil {
		if err := t.lines.Close(); err != nil {
			errs = append(errs, fmt.Errorf("write the last log lines: %w", err))
		}
	}
	return errors.Join(errs...)
}
