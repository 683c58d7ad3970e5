package shard

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	redirects, copied prometheus.Counter
	moves, failures   *prometheus.CounterVec
	freeze            prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "shard_" + name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "shard_" + name, Help: help}, []string{label})
	}
	m := metrics{
		redirects: counter("redirects_total", "Reads and writes that found their partition elsewhere, or on its way."),
		copied:    counter("copied_keys_total", "Keys copied by moves; one that was written meanwhile counts again."),
		moves:     counters("moves_total", "Moves of partitions that were done, or failed and wait to be resumed.", "outcome"),
		failures:  counters("gather_failures_total", "Shards that did not answer a gather.", "shard"),
		freeze: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "shard_freeze_seconds", Help: "How long moves kept the writes of their partition waiting.",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
	}
	return m, errors.Join(r.Register(m.redirects), r.Register(m.copied), r.Register(m.moves), r.Register(m.failures), r.Register(m.freeze))
}
