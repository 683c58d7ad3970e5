package idempotency

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// What became of a request with a key.
const (
	executed   = "executed"    // it was carried out
	replayed   = "replayed"    // it got the kept answer
	mismatched = "mismatched"  // its key was used for another request
	inProgress = "in_progress" // its first request was under way
	refused    = "refused"     // its key is missing or malformed, its answer not kept, or its body too large
	takenOver  = "taken_over"  // it outlived its lease and was rolled back
	failed     = "failed"      // the table did not answer
)

type metrics struct{ requests *prometheus.CounterVec }

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{requests: metric.IdempotencyRequests.CounterVec()}
	return m, r.Register(m.requests)
}

func (m *metrics) count(operation, outcome string) {
	m.requests.WithLabelValues(operation, outcome).Inc()
}

const (
	cleanInterval = time.Minute
	cleanBatch    = 1000
)

// Run deletes keys whose time is over, until ctx ends. It gives nil.
func (k *Keys) Run(ctx context.Context) error {
	ticker := time.NewTicker(cleanInterval)
	defer ticker.Stop()
	for {
		if _, err := k.Clean(ctx); err != nil && ctx.Err() == nil {
			k.opt.Log.WarnContext(ctx, "expired idempotency keys cannot be deleted", "error", telemetry.Redact(err.Error()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Clean deletes the keys whose time is over and gives their number. Run does it every minute; several processes may. It
// deletes a bit at a time, so that nobody waits for it.
func (k *Keys) Clean(ctx context.Context) (int, error) {
	for total := 0; ; {
		now := k.opt.Now().UTC()
		old := k.db.NewSelect().Model((*row)(nil)).Column("id").Where("expires_at <= ?", now).Limit(cleanBatch)
		// Asked twice, as a key may have been taken anew in between.
		n, err := affected(k.db.NewDelete().Table("idempotency").Where("id IN (?)", old).Where("expires_at <= ?", now).Exec(ctx))
		total += n
		if err != nil || n < cleanBatch {
			return total, err
		}
	}
}
