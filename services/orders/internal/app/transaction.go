package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// coordinator is the name of the transactions of orders. To the partners, a transaction is called as its order: each order has one.
const coordinator = "fulfilment"

// participant is a partner in a transaction of two phases.
type participant struct {
	partner Partner
	store   *store.Store
}

func (o *Orders) participants() map[string]twophase.Participant[progress] {
	return map[string]twophase.Participant[progress]{
		"inventory": participant{o.Partners.Inventory, o.store},
		"payments":  participant{o.Partners.Payments, o.store},
		"shipping":  participant{o.Partners.Shipping, o.store},
	}
}

// Prepare asks the partner for its vote.
func (p participant) Prepare(ctx context.Context, _ string, data progress) error {
	order, err := p.store.Get(ctx, data.OrderID)
	if err != nil {
		return err
	}
	err = p.partner.Prepare(ctx, order)
	if isRefusal(err) {
		return twophase.Refused(err)
	}
	return err
}

// Commit tells the partner to keep its promise.
func (p participant) Commit(ctx context.Context, txn string) error {
	id, err := orderOf(txn)
	if err != nil {
		return err
	}
	return p.partner.Commit(ctx, id)
}

// Abort releases the partner from its promise.
func (p participant) Abort(ctx context.Context, txn string) error {
	id, err := orderOf(txn)
	if err != nil {
		return err
	}
	return p.partner.Abort(ctx, id)
}

func orderOf(txn string) (string, error) {
	id, ok := strings.CutPrefix(txn, coordinator+"/")
	if !ok {
		return "", fmt.Errorf("%s is no transaction of %s", txn, coordinator)
	}
	return id, nil
}

// decided settles the order with the decision about its transaction.
func (o *Orders) decided(ctx context.Context, _ bun.Tx, id string, _ progress, decision twophase.Decision) error {
	if decision == twophase.Commit {
		return o.Complete(ctx, domain.TwoPhase, id)
	}
	return o.Cancel(ctx, domain.TwoPhase, id, reason(twophase.Cause(ctx), unanswered))
}
