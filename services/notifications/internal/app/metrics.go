package app

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
)

type metrics struct {
	messages *prometheus.CounterVec
	waiting  *prometheus.GaugeVec
	repeated prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) (metrics, error) {
	m := metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifications_messages_total", Help: "Messages by kind that this process has kept (waiting), sent, or given up (failed).",
		}, []string{"kind", "status"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifications_messages_waiting", Help: "Messages by kind that are not sent yet; the same in every process: take the maximum.",
		}, []string{"kind"}),
		repeated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notifications_messages_repeated_total", Help: "Messages that were sent again since nobody knows whether they had been.",
		}),
	}
	for _, kind := range domain.Kinds {
		for _, status := range []domain.Status{domain.Waiting, domain.Sent, domain.Failed} {
			m.messages.WithLabelValues(string(kind), string(status))
		}
	}
	return m, errors.Join(registry.Register(m.messages), registry.Register(m.waiting), registry.Register(m.repeated))
}

func (m metrics) count(kind domain.Kind, status domain.Status) {
	m.messages.WithLabelValues(string(kind), string(status)).Inc()
}
