package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-co-op/gocron/v2"
)

const (
	// onDemand is the slot of those who ask between the hours.
	onDemand = "on demand"
	// slack is what a run may take beyond asking the sources, and after which its lease ends.
	slack = 30 * time.Second
	// settling is how long saying what became of a run may take, even when nobody waits for it any more.
	settling = 5 * time.Second
	// memory is how long it is known who asked the sources at an hour.
	memory = 7 * 24 * time.Hour

	// An hour's cleaning is bounded; what it leaves is the next hour's.
	dropAtOnce = 500
	dropRounds = 20
)

// longest is the time in which all sources have answered, or have not.
func (n *News) longest() time.Duration {
	rounds := (len(n.sources) + n.opt.Parallel - 1) / n.opt.Parallel
	return time.Duration(max(rounds, 1)) * n.opt.Timeout
}

// Refresh has all sources asked now, and tells what each gave. While another replica or request does, it is ErrRunning.
func (n *News) Refresh(ctx context.Context) ([]Result, error) {
	claim, now := n.newID(), n.now()
	mine, err := n.store.Claim(ctx, onDemand, claim, now, now.Add(n.longest()+slack))
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, ErrRunning
	}
	results, err := n.gather(ctx)
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	return results, errors.Join(err, n.store.Release(settle, onDemand, claim))
}

// Tick has the sources asked if nobody has done it in this hour yet, and tells whether it did. All replicas may call it at once and as
// often as they like: one gets the hour. When that one dies, or all sources failed, another gets it after its lease.
func (n *News) Tick(ctx context.Context) (bool, error) {
	now, claim := n.now(), n.newID()
	slot := now.UTC().Truncate(n.opt.Every).Format(time.RFC3339)
	limit := n.longest() + slack
	mine, err := n.store.Claim(ctx, slot, claim, now, now.Add(limit))
	if err != nil || !mine {
		return false, err
	}
	running, cancel := context.WithTimeout(ctx, limit) // whoever is slower than the lease must not work beside the next one
	defer cancel()
	results, err := n.gather(running)
	if err != nil {
		return true, err
	}
	if !slices.ContainsFunc(results, func(r Result) bool { return r.Status == OK }) {
		n.opt.Log.WarnContext(ctx, "no source gave anything; all are asked again when the lease is over", "slot", slot)
		return true, nil
	}
	if err := n.clean(running, now); err != nil {
		return true, err
	}
	n.metrics.last.Set(float64(now.Unix()))
	return true, n.store.Finish(ctx, slot, claim, n.now())
}

// clean forgets what is old, and what is too much.
func (n *News) clean(ctx context.Context, now time.Time) error {
	drops := []func() (int, error){
		func() (int, error) { return n.store.Drop(ctx, now.Add(-n.opt.Retention), dropAtOnce) },
	}
	for _, source := range n.sources {
		drops = append(drops, func() (int, error) { return n.store.Crop(ctx, source.Name(), n.opt.Latest, dropAtOnce) })
	}
	for _, drop := range drops {
		for range dropRounds {
			dropped, err := drop()
			if err != nil {
				return err
			}
			if dropped < dropAtOnce {
				break
			}
		}
	}
	return n.store.Forget(ctx, now.Add(-memory))
}

// Run calls Tick now and every minute, until ctx ends: an hour begins in one of the minutes, and an hour that was left is found in the
// next one.
func (n *News) Run(ctx context.Context) error {
	tick := func(ctx context.Context) {
		if _, err := n.Tick(ctx); err != nil && ctx.Err() == nil {
			n.opt.Log.WarnContext(ctx, "the sources could not be asked; it is tried again", "error", err)
		}
	}
	tick(ctx)
	scheduler, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return err
	}
	_, err = scheduler.NewJob(gocron.CronJob("* * * * *", false), gocron.NewTask(tick), gocron.WithContext(ctx),
		gocron.WithSingletonMode(gocron.LimitModeReschedule), gocron.WithName("ask the sources"))
	if err != nil {
		return errors.Join(err, scheduler.Shutdown())
	}
	scheduler.Start()
	<-ctx.Done()
	return scheduler.Shutdown()
}
