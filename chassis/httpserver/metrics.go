package httpserver

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// metrics are the rate, errors and duration of the API's requests, and its saturation.
type metrics struct {
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	connections prometheus.Gauge
	inFlight    prometheus.Gauge
	panics      prometheus.Counter
	callers     callers
}

func newMetrics(opt Options) (*metrics, error) {
	m := &metrics{
		requests:    metric.HTTPRequests.CounterVec(),
		duration:    withBound(metric.HTTPRequestDuration, opt.Objective).HistogramVec(),
		connections: metric.ActiveConnections.Gauge(),
		inFlight:    metric.HTTPRequestsInFlight.Gauge(),
		panics:      metric.HTTPPanics.Counter(),
	}
	m.callers.init()
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.connections, m.inFlight, m.panics} {
		errs = append(errs, opt.Telemetry.Registry.Register(c))
	}
	return m, errors.Join(errs...)
}

// withBound has the histogram count the answers within an objective exactly, rather than between the bounds around it.
func withBound(d metric.Definition, objective time.Duration) metric.Definition {
	at, there := slices.BinarySearch(d.Buckets, objective.Seconds())
	if objective > 0 && !there {
		d.Buckets = slices.Insert(slices.Clone(d.Buckets), at, objective.Seconds())
	}
	return d
}
