package database

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"
)

// poolMetrics reports the pool's state whenever it is scraped, and how long queries take.
type poolMetrics struct {
	pool     *sql.DB
	registry prometheus.Registerer
	gauges   []poolGauge
	queries  *prometheus.HistogramVec
}

type poolGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(sql.DBStats) float64
}

func newPoolMetrics(name string, pool *sql.DB) *poolMetrics {
	labels := prometheus.Labels{"database": name}
	gauge := func(name, help string, kind prometheus.ValueType, value func(sql.DBStats) float64) poolGauge {
		return poolGauge{prometheus.NewDesc("db_pool_"+name, help, nil, labels), kind, value}
	}
	const g, c = prometheus.GaugeValue, prometheus.CounterValue
	return &poolMetrics{
		pool: pool,
		gauges: []poolGauge{
			gauge("max_connections", "Connections the pool may open.", g, func(s sql.DBStats) float64 { return float64(s.MaxOpenConnections) }),
			gauge("open_connections", "Connections open, in use or idle.", g, func(s sql.DBStats) float64 { return float64(s.OpenConnections) }),
			gauge("used_connections", "Connections in use.", g, func(s sql.DBStats) float64 { return float64(s.InUse) }),
			gauge("idle_connections", "Connections open and unused.", g, func(s sql.DBStats) float64 { return float64(s.Idle) }),
			gauge("waits_total", "Times a connection had to be waited for.", c, func(s sql.DBStats) float64 { return float64(s.WaitCount) }),
			gauge("wait_seconds_total", "Time spent waiting for a connection.", c, func(s sql.DBStats) float64 { return s.WaitDuration.Seconds() }),
		},
		queries: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "db_query_duration_seconds", Help: "How long queries took.", ConstLabels: labels,
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"operation", "outcome"}),
	}
}

// Describe implements prometheus.Collector.
func (m *poolMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range m.gauges {
		ch <- g.desc
	}
	m.queries.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *poolMetrics) Collect(ch chan<- prometheus.Metric) {
	stats := m.pool.Stats()
	for _, g := range m.gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, g.value(stats))
	}
	m.queries.Collect(ch)
}

func (m *poolMetrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	m.registry = r
	return r.Register(m)
}

func (m *poolMetrics) unregister() {
	if m.registry != nil {
		m.registry.Unregister(m)
	}
}
