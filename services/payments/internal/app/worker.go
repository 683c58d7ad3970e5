package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	poll     = time.Second // how soon a payment is found that another replica left
	batch    = 50
	parallel = 3 // calls at a time, so that requests find the gateway's bulkhead not full
)

// Run asks the gateway about open payments when they are due, until ctx ends. Several replicas may run it: a payment is one's
// at a time, and to be asked about by two would do no harm.
func (p *Payments) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := p.Work(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "open payments could not be settled; it is tried again", "error", err)
		}
		if n == batch && err == nil {
			continue
		}
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-p.wake:
		}
		timer.Stop()
	}
	return nil
}

// Wake has Run look for due payments now.
func (p *Payments) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Work asks the gateway once about the payments that are due, and gives their number.
func (p *Payments) Work(ctx context.Context) (int, error) {
	orders, err := p.store.Due(ctx, p.now(), batch)
	if err != nil {
		return 0, err
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, order := range orders {
		group.Go(func() error { return p.work(ctx, order) })
	}
	return len(orders), group.Wait()
}

func (p *Payments) work(ctx context.Context, orderID string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	payment, origin, asked, err := p.store.Claim(ctx, orderID, p.now(), p.now().Add(lease))
	if err != nil || asked == 0 { // another replica was faster
		return err
	}
	_, err = p.ask(origin.Context(ctx), payment, asked)
	return err
}

// pause is how long the gateway is left alone with a payment that it was asked about so many times.
func pause(asked int) time.Duration {
	const shortest, longest = 500 * time.Millisecond, 30 * time.Second
	return min(longest, shortest<<min(asked-1, 6))
}
