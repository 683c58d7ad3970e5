package lease

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 5 * time.Second
)

// Run claims due rows and has work done on them, Workers at a time, until ctx ends; what is under way then goes on for at most
// Drain. The context of work ends with that, or when the lease is lost. Work that returns without having given its row back
// leaves it to whoever claims it when the lease has run out. While the database is away, Run tries again and again.
func (q *Queue) Run(ctx context.Context, work func(context.Context, *Claim) error) error {
	hand, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	context.AfterFunc(ctx, func() { time.AfterFunc(q.opt.Drain, cancel) })
	var group sync.WaitGroup
	defer group.Wait()

	slots := make(chan struct{}, q.opt.Workers)
	pause := shortestPause
	for {
		n := acquire(ctx, slots)
		if n == 0 {
			return nil
		}
		claims, err := q.Claim(hand, n)
		for range n - len(claims) {
			<-slots
		}
		if err != nil {
			q.opt.Log.Warn("no work can be claimed", "table", q.opt.Table, "name", q.opt.Name, "error", err, "next", pause.String())
			Rest(ctx, pause, nil)
			pause = min(2*pause, longestPause)
			continue
		}
		pause = shortestPause
		for _, c := range claims {
			c.open = ctx.Done()
			group.Go(func() {
				defer func() { <-slots }()
				q.hold(hand, c, work)
			})
		}
		if len(claims) < n {
			Rest(ctx, q.opt.Poll, q.wake)
		}
	}
}

// acquire waits for a free slot and takes all that are free; it gives their number, 0 when ctx has ended.
func acquire(ctx context.Context, slots chan struct{}) (n int) {
	select {
	case slots <- struct{}{}:
		n = 1
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return 0
	}
	for {
		select {
		case slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
}

// hold has work done while it keeps the lease.
func (q *Queue) hold(hand context.Context, c *Claim, work func(context.Context, *Claim) error) {
	ctx, end := context.WithCancelCause(hand)
	var renewal sync.WaitGroup
	renewal.Go(func() { c.renew(ctx, end) })
	err := func() error {
		defer renewal.Wait()
		defer end(nil)
		return work(ctx, c)
	}()
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrLost) {
			err = ErrLost
		}
		q.opt.Log.Warn("work was left for when its lease has run out", "table", q.opt.Table, "name", q.opt.Name, "id", c.ID, "error", err)
		return
	}
	if c.released != nil && *c.released < q.opt.Poll {
		time.AfterFunc(*c.released, q.Wake)
	}
}

// Rest waits for d, for a wake-up or for the end of ctx.
func Rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// Every calls fn at once and then every interval until ctx ends; failed gets its errors.
func Every(ctx context.Context, interval time.Duration, fn func(context.Context) error, failed func(error)) {
	for {
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		if Rest(ctx, interval, nil); ctx.Err() != nil {
			return
		}
	}
}
