package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/metric"
)

// newMetrics keeps the service's own metrics. What has few values is there from the beginning, so that nothing is missing from a rate.
func newMetrics(registry prometheus.Registerer) (*metric.Metrics, error) {
	m, err := metric.New(registry)
	if err != nil {
		return nil, err
	}
	for _, outcome := range []domain.BillStatus{domain.Paid, domain.Failed, domain.Undone} {
		m.Invoices(string(outcome))
	}
	for _, way := range []domain.Fulfilment{domain.Choreography, domain.Orchestration, domain.TwoPhase} {
		for _, status := range []domain.Status{domain.Completed, domain.Cancelled} {
			m.Settled(string(way), string(status))
		}
	}
	return m, nil
}

func count(m *metric.Metrics, order domain.Snapshot) {
	m.Settled(string(order.Fulfilment), string(order.Status)).Inc()
	m.SettlingSeconds(string(order.Fulfilment), string(order.Status)).Observe(order.SettledAt.Sub(order.ConfirmedAt).Seconds())
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
			o.metrics.Drafts().Set(float64(n))
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
