package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

type metrics struct {
	settled  *prometheus.CounterVec
	settling *prometheus.HistogramVec
	invoices *prometheus.CounterVec
	drafts   prometheus.Gauge
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
		invoices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orders_invoices_total", Help: "Attempts to pay the invoice of an order, by outcome: paid, failed, undone.",
		}, []string{"outcome"}),
		drafts: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "orders_drafts", Help: "Orders that are not confirmed yet; the same in every process: take the maximum.",
		}),
	}
	for _, outcome := range []domain.BillStatus{domain.Paid, domain.Failed, domain.Undone} {
		m.invoices.WithLabelValues(string(outcome))
	}
	for _, way := range []domain.Fulfilment{domain.Choreography, domain.Orchestration, domain.TwoPhase} {
		for _, status := range []domain.Status{domain.Completed, domain.Cancelled} {
			m.settled.WithLabelValues(string(way), string(status))
		}
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.settled, m.settling, m.invoices, m.drafts} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m metrics) count(order domain.Snapshot) {
	m.settled.WithLabelValues(string(order.Fulfilment), string(order.Status)).Inc()
	m.settling.WithLabelValues(string(order.Fulfilment), string(order.Status)).Observe(order.SettledAt.Sub(order.ConfirmedAt).Seconds())
}

// draftsInterval is how often drafts are counted.
const draftsInterval = 15 * time.Second

// countDrafts keeps the number of drafts until ctx ends. They stay until their customers confirm them: whether they are too many is
// for a person to see.
func (o *Orders) countDrafts(ctx context.Context) error {
	ticker := time.NewTicker(draftsInterval)
	defer ticker.Stop()
	for {
		n, err := o.store.Drafts(ctx)
		switch {
		case err == nil:
			o.metrics.drafts.Set(float64(n))
		case ctx.Err() == nil:
			o.Log.WarnContext(ctx, "drafts cannot be counted; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
