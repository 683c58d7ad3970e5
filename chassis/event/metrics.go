package event

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

type publisherMetrics struct {
	published *prometheus.CounterVec
	duration  prometheus.Histogram
}

func newPublisherMetrics(r prometheus.Registerer) (m publisherMetrics, err error) {
	var errs [2]error
	m.published, errs[0] = metric.Register(r, metric.EventsPublished.CounterVec())
	m.duration, errs[1] = metric.Register(r, metric.EventPublishDuration.Histogram())
	return m, errors.Join(errs[:]...)
}

type consumerMetrics struct {
	consumed *prometheus.CounterVec
	retries  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	lag      *prometheus.GaugeVec
}

func newConsumerMetrics(r prometheus.Registerer) (m consumerMetrics, err error) {
	var errs [4]error
	m.consumed, errs[0] = metric.Register(r, metric.EventsConsumed.CounterVec())
	m.retries, errs[1] = metric.Register(r, metric.EventRetries.CounterVec())
	m.duration, errs[2] = metric.Register(r, metric.EventHandlerDuration.HistogramVec())
	m.lag, errs[3] = metric.Register(r, metric.EventConsumerLag.GaugeVec())
	return m, errors.Join(errs[:]...)
}
