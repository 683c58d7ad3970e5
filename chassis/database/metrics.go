package database

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
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
	gauge := func(d metric.Definition, value func(sql.DBStats) float64) poolGauge {
		return poolGauge{d.With(labels).Desc(), d.ValueType(), value}
	}
	return &poolMetrics{
		pool: pool,
		gauges: []poolGauge{
			gauge(metric.DBPoolMaxConnections, func(s sql.DBStats) float64 { return float64(s.MaxOpenConnections) }),
			gauge(metric.DBPoolOpenConnections, func(s sql.DBStats) float64 { return float64(s.OpenConnections) }),
			gauge(metric.DBPoolUsedConnections, func(s sql.DBStats) float64 { return float64(s.InUse) }),
			gauge(metric.DBPoolIdleConnections, func(s sql.DBStats) float64 { return float64(s.Idle) }),
			gauge(metric.DBPoolWaits, func(s sql.DBStats) float64 { return float64(s.WaitCount) }),
			gauge(metric.DBPoolWaitSeconds, func(s sql.DBStats) float64 { return s.WaitDuration.Seconds() }),
		},
		queries: metric.DBQueryDuration.With(labels).HistogramVec(),
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
