package shard

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	redirects, copied prometheus.Counter
	moves, failures   *prometheus.CounterVec
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
	}
	return m, errors.Join(r.Register(m.redirects), r.Register(m.copied), r.Register(m.moves), r.Register(m.failures))
}
