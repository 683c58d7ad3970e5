package app

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// patient bounds how long a partner that is away is waited for, before the order is cancelled: half a minute and more. A payment whose
// outcome the gateway has not told counts as away.
var patient = saga.Retry{Attempts: 12, Backoff: 500 * time.Millisecond, MaxBackoff: 5 * time.Second}

// orchestration is the saga of an order. Every part can be undone until the order is completed, which happens with its end; so it has
// no pivot.
func (o *Orders) orchestration() saga.Definition[progress] {
	return saga.Definition[progress]{
		Name: "fulfilment",
		Steps: []saga.Step[progress]{
			o.step("reserve", o.Partners.Inventory),
			o.step("charge", o.Partners.Payments),
			o.step("ship", o.Partners.Shipping),
		},
		Done: o.sagaDone,
	}
}

func (o *Orders) step(name string, partner Partner) saga.Step[progress] {
	return saga.Step[progress]{
		Name:  name,
		Retry: o.Patience,
		Do: func(ctx context.Context, p *progress) error {
			order, err := o.store.Get(ctx, p.OrderID)
			if err != nil {
				return saga.NoEffect(err)
			}
			err = partner.Do(ctx, order)
			if isRefusal(err) {
				return saga.Refused(err)
			}
			return err
		},
		Undo: func(ctx context.Context, p *progress) error {
			err := partner.Undo(ctx, p.OrderID)
			if isRefusal(err) {
				return saga.Permanent(err) // somebody completed the order's part: that is for a person to see
			}
			return err
		},
	}
}

// sagaDone settles the order with the end of its saga.
func (o *Orders) sagaDone(ctx context.Context, _ bun.Tx, id string, _ progress, outcome saga.State) error {
	if outcome == saga.Completed {
		return o.Complete(ctx, domain.Orchestration, id)
	}
	return o.Cancel(ctx, domain.Orchestration, id, reason(saga.Cause(ctx), unanswered))
}
