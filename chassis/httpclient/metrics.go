package httpclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// metrics are shared by all clients on one registry; the label callee tells them apart.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	retries  *prometheus.CounterVec
	breaker  *prometheus.GaugeVec
	inUse    *prometheus.GaugeVec
	places   *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	var m metrics
	var errs [6]error
	m.requests, errs[0] = metric.Register(reg, metric.ClientRequests.CounterVec())
	m.duration, errs[1] = metric.Register(reg, metric.ClientRequestDuration.HistogramVec())
	m.retries, errs[2] = metric.Register(reg, metric.ClientRetries.CounterVec())
	m.breaker, errs[3] = metric.Register(reg, metric.ClientBreakerState.GaugeVec())
	m.inUse, errs[4] = metric.Register(reg, metric.ClientBulkheadInUse.GaugeVec())
	m.places, errs[5] = metric.Register(reg, metric.ClientBulkheadLimit.GaugeVec())
	return &m, errors.Join(errs[:]...)
}

// withMetrics is the outermost layer: it counts and times every call, and gives errors their callee.
func withMetrics(o Options, m *metrics, next tripper) tripper {
	return func(r *http.Request) (*http.Response, error) {
		operation := OperationFrom(r.Context())
		start := time.Now()
		resp, err := next(r)
		if err != nil {
			err = o.wrap(r, err)
		}
		telemetry.Count(r.Context(), m.requests.WithLabelValues(o.Name, operation, status(resp, err)), 1)
		telemetry.Observe(r.Context(), m.duration.WithLabelValues(o.Name, operation), time.Since(start).Seconds())
		return resp, err
	}
}

type operationKey struct{}

// WithOperation says which of the callee's operations the calls with this context are, for metrics and spans.
func WithOperation(ctx context.Context, operationID string) context.Context {
	return context.WithValue(ctx, operationKey{}, operationID)
}

// OperationFrom gives what WithOperation said, or "".
func OperationFrom(ctx context.Context) string {
	id, _ := ctx.Value(operationKey{}).(string)
	return id
}
