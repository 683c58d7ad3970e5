package shard

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

type metrics struct {
	redirects, copied prometheus.Counter
	moves, failures   *prometheus.CounterVec
	freeze            prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (metrics, error) {
	m := metrics{
		redirects: metric.ShardRedirects.Counter(),
		copied:    metric.ShardCopiedKeys.Counter(),
		moves:     metric.ShardMoves.CounterVec(),
		failures:  metric.ShardGatherFailures.CounterVec(),
		freeze:    metric.ShardFreeze.Histogram(),
	}
	return m, errors.Join(r.Register(m.redirects), r.Register(m.copied), r.Register(m.moves), r.Register(m.failures), r.Register(m.freeze))
}
