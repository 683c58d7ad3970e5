package app

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/services/news/internal/domain"
)

// Status is how it went with a source.
type Status string

// The statuses of a source.
const (
	OK      Status = "ok"
	Failed  Status = "failed"
	Timeout Status = "timeout"
)

// Result is what a source gave.
type Result struct {
	Source string
	Status Status
	Found  int
	Added  int
	Took   time.Duration
	Reason string // why there is nothing of it
}

// storing is what a request leaves of its time for keeping what was found.
const storing = 2 * time.Second

// gather asks all sources, a few at the same time, each within its limit, and keeps what they offer as soon as it is there: a source
// that fails, hangs or takes the service down takes nothing from the others. The error is that of keeping.
func (n *News) gather(ctx context.Context) ([]Result, error) {
	asking := ctx
	if until, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		asking, cancel = context.WithDeadline(ctx, until.Add(-storing))
		defer cancel()
	}
	results := make([]Result, len(n.sources))
	var group errgroup.Group // without a context: the failure of one is no reason to stop asking the others
	group.SetLimit(n.opt.Parallel)
	for i, source := range n.sources {
		group.Go(func() error {
			var articles []domain.Article
			results[i], articles = n.ask(asking, source)
			if results[i].Status != OK {
				return nil
			}
			added, err := n.store.Keep(ctx, articles, n.now())
			results[i].Added = added
			n.metrics.added.WithLabelValues(source.Name()).Add(float64(added))
			return err
		})
	}
	return results, group.Wait()
}

// ask asks one source within its limit.
func (n *News) ask(ctx context.Context, source Source) (Result, []domain.Article) {
	ctx, cancel := context.WithTimeout(ctx, n.opt.Timeout)
	defer cancel()
	began := n.now()
	articles, err := source.Articles(ctx, began)
	r := Result{Source: source.Name(), Status: OK, Found: len(articles), Took: n.now().Sub(began)}
	var fault *domain.Fault
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		r.Status, r.Reason = Timeout, "the source did not answer in time"
	case errors.As(err, &fault):
		r.Status, r.Reason = Failed, fault.Reason
	default:
		r.Status, r.Reason = Failed, "the source failed"
	}
	n.metrics.results.WithLabelValues(source.Name(), string(r.Status)).Inc()
	if err != nil {
		r.Found, articles = 0, nil
		n.opt.Log.WarnContext(ctx, "a source gave nothing; the others are kept", "source", r.Source, "status", string(r.Status), "error", err)
	}
	return r, articles
}
