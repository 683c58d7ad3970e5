package saga

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	m.instances, errs[0] = register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "saga_instances", Help: "Sagas that are not finished, by state: running, compensating, parked; a parked one waits for a person.",
	}, []string{"saga", "state"}))
	m.duration, errs[1] = register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "saga_duration_seconds", Help: "From a saga's start to its end, by outcome: completed, compensated.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
	}, []string{"saga", "outcome"}))
	m.failures, errs[2] = register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "saga_step_failures_total", Help: "Failed attempts, by action (do, undo, done) and kind: transient, permanent.",
	}, []string{"saga", "step", "action", "kind"}))
	return m, errors.Join(errs[:]...)
}

// register registers c, or gives the collector that is registered already.
func register[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, err
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
