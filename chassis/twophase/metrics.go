package twophase

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

const (
	statsInterval = 5 * time.Second
	cleanInterval = time.Minute
	cleanBatch    = 1000
)

// metrics are shared by all coordinators and participants of a process. The gauges tell of the table, so they are the same in
// every process of the service: take their maximum.
type metrics struct {
	transactions *prometheus.GaugeVec
	untold       *prometheus.GaugeVec
	inDoubt      *prometheus.GaugeVec
	decisions    *prometheus.CounterVec
	failures     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (m metrics, err error) {
	var errs [6]error
	m.transactions, errs[0] = metric.Register(r, metric.TwoPhaseTransactions.GaugeVec())
	m.untold, errs[1] = metric.Register(r, metric.TwoPhaseUntoldAge.GaugeVec())
	m.inDoubt, errs[2] = metric.Register(r, metric.TwoPhaseInDoubt.GaugeVec())
	m.decisions, errs[3] = metric.Register(r, metric.TwoPhaseDecisions.CounterVec())
	m.failures, errs[4] = metric.Register(r, metric.TwoPhaseCallFailures.CounterVec())
	m.duration, errs[5] = metric.Register(r, metric.TwoPhaseDuration.HistogramVec())
	return m, errors.Join(errs[:]...)
}

// measure sets the gauges.
func (c *Coordinator[D]) measure(ctx context.Context) error {
	var rows []struct {
		State State
		N     int64
	}
	open := func() *bun.SelectQuery {
		return c.db.NewSelect().Table("twophase").Where("name = ?", c.name).Where("finished_at IS NULL")
	}
	if err := open().Column("state").ColumnExpr("COUNT(*) AS n").GroupExpr("state").Scan(ctx, &rows); err != nil {
		return err
	}
	var decided []time.Time
	if err := open().Column("decided_at").Where("decided_at IS NOT NULL").OrderExpr("decided_at").Limit(1).Scan(ctx, &decided); err != nil {
		return err
	}
	by := map[State]int64{Preparing: 0, Committing: 0, Aborting: 0}
	for _, r := range rows {
		by[r.State] = r.N
	}
	for state, n := range by {
		c.metrics.transactions.WithLabelValues(c.name, string(state)).Set(float64(n))
	}
	age := 0.0
	if len(decided) > 0 {
		age = c.opt.Now().Sub(decided[0]).Seconds()
	}
	c.metrics.untold.WithLabelValues(c.name).Set(age)
	return nil
}

// clean deletes what was finished longer than Retention ago: all participants have confirmed, so none will ask.
func (c *Coordinator[D]) clean(ctx context.Context) error {
	old := func() *bun.SelectQuery {
		return c.db.NewSelect().Table("twophase").Column("id").Where("name = ?", c.name).
			Where("finished_at < ?", c.opt.Now().UTC().Add(-c.opt.Retention)).Limit(cleanBatch)
	}
	return inBatches(func() (int64, error) {
		return deleted(ctx, c.db.NewDelete().Table("twophase").Where("name = ?", c.name).Where("id IN (?)", old()))
	})
}

// inBatches calls fn until it deletes less than a batch, so that nobody waits for long.
func inBatches(fn func() (int64, error)) error {
	for {
		if n, err := fn(); err != nil || n < cleanBatch {
			return err
		}
	}
}

func deleted(ctx context.Context, query *bun.DeleteQuery) (int64, error) {
	result, err := query.Exec(ctx)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
