package event

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

var durations = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

type publisherMetrics struct {
	published *prometheus.CounterVec
	duration  prometheus.Histogram
}

func newPublisherMetrics(r prometheus.Registerer) (m publisherMetrics, err error) {
	var errs [2]error
	m.published, errs[0] = register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "events_published_total", Help: "Events handed to Kafka, by outcome: ok, refused, failed.",
	}, []string{"type", "outcome"}))
	m.duration, errs[1] = register(r, prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "event_publish_duration_seconds", Help: "How long Kafka took to have published events safe.", Buckets: durations,
	}))
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
	m.consumed, errs[0] = register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "events_consumed_total", Help: "Events taken from Kafka, by outcome: ok, or dead for dead-lettered.",
	}, []string{"type", "outcome"}))
	m.retries, errs[1] = register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "event_retries_total", Help: "Attempts to handle an event that failed and were followed by another.",
	}, []string{"type"}))
	m.duration, errs[2] = register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "event_handler_duration_seconds", Help: "How long one attempt to handle an event took.", Buckets: durations,
	}, []string{"type", "outcome"}))
	m.lag, errs[3] = register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "event_consumer_lag", Help: "Events that this process has yet to handle in the partitions it holds.",
	}, []string{"topic", "partition"}))
	return m, errors.Join(errs[:]...)
}

// register registers c, or gives the collector that is registered already: all publishers of a process share theirs.
func register[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, err
}
