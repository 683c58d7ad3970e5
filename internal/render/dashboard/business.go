package dashboard

import (
	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// uses shows the parts of the chassis that service.yaml names under uses.
func (b *serviceBoard) uses() {
	var panels []Panel
	if b.service.Has(metric.Saga) {
		panels = append(panels,
			graph("Sagas by state", "Sagas that are not finished. A parked one waits for a person.", count,
				[]query{{"max by (saga, state) (" + sagaInstances + "{" + b.self + "})", "{{saga}} {{state}}"}}),
			graph("Saga p99 duration", "From a saga's start to its end, by outcome: completed, or compensated when all was undone.", seconds,
				[]query{{quantile("0.99", sagaDuration, b.self, "saga", "outcome"), "{{saga}} {{outcome}}"}}))
	}
	if b.service.Has(metric.TwoPhase) {
		panels = append(panels, graph("Transactions", "Those that are not finished, of a coordinator, by state; those held prepared for too long, of a participant: their rows stay locked.", count,
			[]query{{"max by (coordinator, state) (" + twoPhaseOpen + "{" + b.self + "}) or max by (participant) (" + twoPhaseDoubt + "{" + b.self + "})",
				"{{coordinator}}{{participant}} {{state}}"}}))
	}
	if b.service.Has(metric.EventStore) {
		panels = append(panels, graph("Projections behind", "Age of the oldest event that a read model has not handled.", seconds,
			[]query{{"max by (projection) (" + projectionLag + "{" + match(b.self, is("state", "live")) + "})", "{{projection}}"}}, above("orange", 60)))
	}
	if b.service.Has(metric.RateLimit) {
		panels = append(panels, graph("Rate limits", "Requests that a limit counted a second, by outcome.", perSecond,
			[]query{{sum(rate(metric.RateLimitRequests.Name, b.self), "limit", "outcome"), "{{limit}} {{outcome}}"}}, stacked))
	}
	if len(panels) == 0 {
		return
	}
	b.row("Sagas, transactions, limits")
	b.graphs(panels...)
}

// business shows the service's own metrics, as service.yaml declares them.
func (b *serviceBoard) business() {
	if len(b.service.Metrics) == 0 {
		return
	}
	b.row("Business")
	for first := 0; first < len(b.service.Metrics); first += 3 {
		var panels []Panel
		for _, m := range b.service.Metrics[first:min(first+3, len(b.service.Metrics))] {
			panels = append(panels, b.own(m))
		}
		b.graphs(panels...)
	}
}

// own shows one of the service's own metrics: a counter as it grows, a histogram by its 99th percentile.
func (b *serviceBoard) own(m spec.Metric) Panel {
	legend := m.Name
	if len(m.Labels) > 0 {
		legend = ""
		for _, label := range m.Labels {
			legend += "{{" + label + "}} "
		}
		legend = legend[:len(legend)-1]
	}
	unit := map[string]string{"seconds": seconds, "bytes": bytesUnit, "ratio": share, "timestamp": "dateTimeAsIso"}[m.Unit]
	if unit == "" {
		unit = count
	}
	switch m.Type {
	case "histogram":
		return graph(m.Name, m.Help+" The value that 99 % stay under.", unit, []query{{quantile("0.99", m.Name, b.self, m.Labels...), legend}})
	case "gauge":
		return graph(m.Name, m.Help, unit, []query{{"max " + by(m.Labels...) + " (" + m.Name + "{" + b.self + "})", legend}}, unbounded)
	}
	return graph(m.Name, m.Help+" How many came over the last five minutes.", unit, []query{{sum("increase("+m.Name+"{"+b.self+"}[5m])", m.Labels...), legend}}, stacked)
}
