// Package app has the service's use cases: it asks all sources at the same time and keeps what they offer, every hour in one of the
// replicas and whenever somebody asks for it.
package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/services/news/internal/domain"
	"github.com/trellis-mesh/trellis/services/news/internal/store"
)

// ErrRunning means that somebody else's request has the sources asked at this moment.
var ErrRunning = errors.New("the sources are being asked")

// Source offers articles. It ends when its context does. An error that is a *domain.Fault has a reason for clients.
type Source interface {
	Name() string
	Articles(ctx context.Context, at time.Time) ([]domain.Article, error)
}

// Store keeps articles and runs; *store.Store says what its methods do.
type Store interface {
	Keep(ctx context.Context, articles []domain.Article, at time.Time) (added int, err error)
	List(ctx context.Context, source string, after *store.Place, limit int) ([]domain.Article, error)
	Drop(ctx context.Context, before time.Time, limit int) (int, error)
	Crop(ctx context.Context, source string, latest, limit int) (int, error)
	Claim(ctx context.Context, slot, claim string, now, until time.Time) (bool, error)
	Finish(ctx context.Context, slot, claim string, at time.Time) error
	Release(ctx context.Context, slot, claim string) error
	Forget(ctx context.Context, before time.Time) error
}

// Options tune the service. Every zero value stands for a sound default.
type Options struct {
	Timeout   time.Duration // of each source; default 5s
	Parallel  int           // sources asked at once; default 4
	Every     time.Duration // how often the sources are asked unasked; default 1h
	Retention time.Duration // how long an article is kept that no source offers any more; default 720h
	Latest    int           // articles kept of each source; default 5000
	Log       *slog.Logger
	Registry  prometheus.Registerer
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.Every == 0 {
		o.Every = time.Hour
	}
	if o.Retention == 0 {
		o.Retention = 30 * 24 * time.Hour
	}
	if o.Latest == 0 {
		o.Latest = 5000
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return o
}

// News does what the service is for.
type News struct {
	sources []Source
	store   Store
	opt     Options
	metrics metrics

	now   func() time.Time
	newID func() string
}

// New makes the service's use cases. Run must run for the sources to be asked every hour.
func New(sources []Source, store Store, opt Options) (*News, error) {
	opt = opt.withDefaults()
	n := &News{sources: sources, store: store, opt: opt, now: now, newID: uuid.NewString}
	var err error
	n.metrics, err = newMetrics(opt.Registry, sources)
	return n, err
}

// now is the time as a database keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// List gives at most limit articles after a place, the latest first; those of a source when it is not empty.
func (n *News) List(ctx context.Context, source string, after *store.Place, limit int) ([]domain.Article, error) {
	return n.store.List(ctx, source, after, limit)
}
