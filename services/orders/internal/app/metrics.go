package app

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

type metrics struct {
	settled  *prometheus.CounterVec
	settling *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	labels := []string{"fulfilment", "status"}
	m := metrics{
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orders_settled_total", Help: "Orders by how they were fulfilled and what became of them: completed or cancelled.",
		}, labels),
		settling: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orders_settling_seconds", Help: "Time from an order's confirmation until it was completed or cancelled.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
		}, labels),
	}
	for _, way := range []domain.Fulfilment{domain.Choreography, domain.Orchestration, domain.TwoPhase} {
		for _, status := range []domain.Status{domain.Completed, domain.Cancelled} {
			m.settled.WithLabelValues(string(way), string(status))
		}
	}
	return m, errors.Join(registry.Register(m.settled), registry.Register(m.settling))
}

func (m metrics) count(order domain.Order) {
	m.settled.WithLabelValues(string(order.Fulfilment), string(order.Status)).Inc()
	m.settling.WithLabelValues(string(order.Fulfilment), string(order.Status)).Observe(order.SettledAt.Sub(order.CreatedAt).Seconds())
}
