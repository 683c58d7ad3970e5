package chassis

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// cacheHook gives each command to Redis a span and a duration. Neither shows keys or values: they may be anyone's.
type cacheHook struct {
	tracer   trace.Tracer
	duration *prometheus.HistogramVec
}

func newCacheHook(tel *telemetry.Telemetry) (*cacheHook, error) {
	h := &cacheHook{
		tracer:   tel.Tracer("github.com/trellis-mesh/trellis/chassis"),
		duration: metric.CacheCommandDuration.HistogramVec(),
	}
	return h, tel.Registry.Register(h.duration)
}

// DialHook leaves dialing as it is.
func (h *cacheHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook observes a single command.
func (h *cacheHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h.observe(ctx, cmd.Name(), func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook observes a pipeline as one command.
func (h *cacheHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h.observe(ctx, "pipeline", func(ctx context.Context) error { return next(ctx, cmds) })
	}
}

func (h *cacheHook) observe(ctx context.Context, command string, run func(context.Context) error) error {
	ctx, span := h.tracer.Start(ctx, "redis "+command, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(semconv.DBSystemNameRedis, semconv.DBOperationName(command)))
	defer span.End()
	begun := time.Now()
	err := run(ctx)
	status := "ok"
	switch {
	case errors.Is(err, redis.Nil):
		status = "miss"
	case err != nil:
		status = "error"
		span.SetStatus(codes.Error, telemetry.Redact(err.Error()))
	}
	telemetry.Observe(ctx, h.duration.WithLabelValues(command, status), time.Since(begun).Seconds())
	return err
}
