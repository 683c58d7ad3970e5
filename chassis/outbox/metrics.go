package outbox

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

// metrics of the table are the same in every process of the service: take their maximum.
type metrics struct {
	pending, dead, oldest prometheus.Gauge
	published, refused    prometheus.Counter
	delay                 prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (metrics, error) {
	m := metrics{
		pending:   metric.OutboxPending.Gauge(),
		dead:      metric.OutboxDead.Gauge(),
		oldest:    metric.OutboxOldestAge.Gauge(),
		published: metric.OutboxPublished.Counter(),
		refused:   metric.OutboxRefused.Counter(),
		delay:     metric.OutboxDelay.Histogram(),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.pending, m.dead, m.oldest, m.published, m.refused, m.delay} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// every calls fn at once and then every interval until ctx ends.
func (o *Outbox) every(ctx context.Context, interval time.Duration, fn func(context.Context) error) {
	for {
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			o.opt.Log.Warn("the outbox cannot look after its table", "error", err)
		}
		if o.rest(ctx, interval, nil); ctx.Err() != nil {
			return
		}
	}
}

// measure sets the gauges.
func (o *Outbox) measure(ctx context.Context) error {
	var pending, dead int64
	var oldest row
	err := o.db.NewSelect().Model((*row)(nil)).Where("published_at IS NULL").
		ColumnExpr("COUNT(*) - COUNT(dead_at)").ColumnExpr("COUNT(dead_at)").Scan(ctx, &pending, &dead)
	if err != nil {
		return err
	}
	if pending > 0 {
		err = o.db.NewSelect().Model(&oldest).Column("created_at").
			Where("published_at IS NULL").Where("dead_at IS NULL").OrderExpr("id").Limit(1).Scan(ctx)
	}
	o.metrics.pending.Set(float64(pending))
	o.metrics.dead.Set(float64(dead))
	o.metrics.oldest.Set(0)
	if !oldest.CreatedAt.IsZero() {
		o.metrics.oldest.Set(o.opt.Now().Sub(oldest.CreatedAt).Seconds())
	}
	return ignoreNoRows(err)
}

// clean deletes what was published longer than Retention ago, a bit at a time so that nobody waits for it.
func (o *Outbox) clean(ctx context.Context) error {
	for {
		old := o.db.NewSelect().Model((*row)(nil)).Column("id").
			Where("published_at < ?", o.opt.Now().UTC().Add(-o.opt.Retention)).Limit(cleanBatch)
		result, err := o.db.NewDelete().Table("outbox").Where("id IN (?)", old).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n < cleanBatch {
			return err
		}
	}
}
