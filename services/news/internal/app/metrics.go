package app

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	results *prometheus.CounterVec
	added   *prometheus.CounterVec
	last    prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer, sources []Source) (metrics, error) {
	m := metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "news_source_results_total", Help: "How often each source was asked, by what came of it: ok, failed or timeout.",
		}, []string{"source", "status"}),
		added: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "news_articles_added_total", Help: "New articles by source.",
		}, []string{"source"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "news_last_run_timestamp_seconds", Help: "When this replica last had the hour, in Unix time.",
		}),
	}
	for _, source := range sources {
		m.added.WithLabelValues(source.Name())
		for _, status := range []Status{OK, Failed, Timeout} {
			m.results.WithLabelValues(source.Name(), string(status))
		}
	}
	return m, errors.Join(registry.Register(m.results), registry.Register(m.added), registry.Register(m.last))
}
