package httpserver

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the rate, errors and duration of the API's requests, and its saturation.
type metrics struct {
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	connections prometheus.Gauge
	inFlight    prometheus.Gauge
	panics      prometheus.Counter
}

func newMetrics(opt Options) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "Requests answered, by operation of the contract, method and status.",
		}, []string{"operation", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer, by operation and method.",
			Buckets: opt.Buckets,
		}, []string{"operation", "method"}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "active_connections",
			Help: "Open connections to the API port, idle ones included.",
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "Requests being answered now.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "http_panics_total",
			Help: "Handlers that panicked.",
		}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.connections, m.inFlight, m.panics} {
		errs = append(errs, opt.Telemetry.Registry.Register(c))
	}
	return m, errors.Join(errs...)
}
