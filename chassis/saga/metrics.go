package saga

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

const (
	statsInterval = 5 * time.Second
	cleanInterval = time.Minute
	cleanBatch    = 1000
)

// metrics are shared by all definitions of a process. The gauge tells of the table, so it is the same in every process of the
// service: take its maximum.
type metrics struct {
	instances *prometheus.GaugeVec
	duration  *prometheus.HistogramVec
	failures  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (m metrics, err error) {
	var errs [3]error
	m.instances, errs[0] = metric.Register(r, metric.SagaInstances.GaugeVec())
	m.duration, errs[1] = metric.Register(r, metric.SagaDuration.HistogramVec())
	m.failures, errs[2] = metric.Register(r, metric.SagaStepFailures.CounterVec())
	return m, errors.Join(errs[:]...)
}

func kindOf(v verdict) string {
	if v.permanent {
		return "permanent"
	}
	return "transient"
}

// measure sets the gauge.
func (s *Saga[S]) measure(ctx context.Context) error {
	var counts []struct {
		State State
		N     int64
	}
	err := s.db.NewSelect().Table("saga").Column("state").ColumnExpr("COUNT(*) AS n").
		Where("name = ?", s.def.Name).Where("finished_at IS NULL").GroupExpr("state").Scan(ctx, &counts)
	if err != nil {
		return err
	}
	by := map[State]int64{Running: 0, Compensating: 0, Parked: 0}
	for _, c := range counts {
		by[c.State] = c.N
	}
	for state, n := range by {
		s.metrics.instances.WithLabelValues(s.def.Name, string(state)).Set(float64(n))
	}
	return nil
}

// clean deletes what was finished longer than Retention ago, a bit at a time so that nobody waits for it.
func (s *Saga[S]) clean(ctx context.Context) error {
	for {
		old := s.db.NewSelect().Table("saga").Column("id").Where("name = ?", s.def.Name).
			Where("finished_at < ?", s.opt.Now().UTC().Add(-s.opt.Retention)).Limit(cleanBatch)
		result, err := s.db.NewDelete().Table("saga").Where("name = ?", s.def.Name).Where("id IN (?)", old).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n < cleanBatch {
			return err
		}
	}
}
