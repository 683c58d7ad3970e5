package twophase

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
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
	m.transactions, errs[0] = register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "twophase_transactions", Help: "Transactions that are not finished, by state: preparing, committing, aborting.",
	}, []string{"coordinator", "state"}))
	m.untold, errs[1] = register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "twophase_untold_age_seconds", Help: "Age of the oldest decision that not all participants have confirmed; 0 when there is none.",
	}, []string{"coordinator"}))
	m.inDoubt, errs[2] = register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "twophase_in_doubt", Help: "Transactions that a participant has had prepared for longer than Options.InDoubt.",
	}, []string{"participant"}))
	m.decisions, errs[3] = register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "twophase_decisions_total", Help: "Decisions made by this process: commit, abort.",
	}, []string{"coordinator", "decision"}))
	m.failures, errs[4] = register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "twophase_call_failures_total", Help: "Calls of participants that failed, votes of no included, by phase: prepare, commit, abort.",
	}, []string{"coordinator", "participant", "phase"}))
	m.duration, errs[5] = register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "twophase_duration_seconds", Help: "From Begin until all participants have confirmed, by outcome: committed, aborted.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	}, []string{"coordinator", "outcome"}))
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
