package httpclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
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
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"callee"})
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_client_requests_total",
			Help: "Calls to other services by callee, operation and status: an HTTP status, or why there is none.",
		}, []string{"callee", "operation", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_client_request_duration_seconds",
			Help:    "Time from the call to its answer's headers, retries and waits included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"callee", "operation"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_client_retries_total",
			Help: "Attempts after the first one.",
		}, []string{"callee", "operation"}),
		breaker: gauge("http_client_breaker_state", "The callee's circuit breaker: 0 closed, 1 half-open, 2 open."),
		inUse:   gauge("http_client_bulkhead_in_use", "Calls under way to the callee."),
		places:  gauge("http_client_bulkhead_limit", "Calls that may be under way to the callee at once."),
	}
	if reg == nil {
		return m, nil
	}
	var err error
	m.requests = shared(reg, m.requests, &err)
	m.duration = shared(reg, m.duration, &err)
	m.retries = shared(reg, m.retries, &err)
	m.breaker = shared(reg, m.breaker, &err)
	m.inUse = shared(reg, m.inUse, &err)
	m.places = shared(reg, m.places, &err)
	return m, err
}

// shared registers c, or gives the collector that an earlier client registered in its place.
func shared[C prometheus.Collector](reg prometheus.Registerer, c C, failed *error) C {
	err := reg.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if earlier, ok := already.ExistingCollector.(C); ok {
			return earlier
		}
	}
	*failed = errors.Join(*failed, err)
	return c
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
