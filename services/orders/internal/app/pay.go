package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// Till takes money. Every call may come again, and has then the effect of one. An error that is a *Refusal says no for good; after any
// other nobody knows.
type Till interface {
	// Charge charges a customer for an order under a reference, or finds it done.
	Charge(ctx context.Context, reference, method string, order domain.Snapshot) error
	// Refund gives back what was charged under a reference, or is yet to be: a Charge that comes after it is refused.
	Refund(ctx context.Context, reference string) error
}

// payment is an attempt to pay the invoice of an order.
type payment struct {
	OrderID  string
	Attempt  int
	Charged  bool // the customer is
	Marked   bool // the order is marked as paid
	Refunded bool // what was charged, if anything was
}

// reference is the name of an attempt, for the saga and for the till. The order's own id is that of its invoice.
func (p payment) reference() string { return fmt.Sprintf("%s.%d", p.OrderID, p.Attempt) }

// Pay pays the invoice of a completed order by one of the customer's payment methods: it verifies the payment, updates the order, and
// has others notified; when one of these cannot be done, those before are undone. The steps are a saga, so they go on when this process
// dies. Pay waits for the outcome, but not for long: the order's bill says what it is, domain.Paying when it is not known yet.
//
// Said again with the same method, it joins what is under way; after a failure it tries anew. Its errors are those of
// domain.Order.BeginPayment, and store.ErrNotFound.
func (o *Orders) Pay(ctx context.Context, id, method string) (domain.Snapshot, error) {
	var attempt int
	err := o.Database.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		begun := false
		_, err := o.store.Update(ctx, id, func(order *domain.Order) (err error) {
			attempt, err = order.BeginPayment(method)
			begun = len(order.Events()) > 0
			return err
		})
		if err != nil || !begun {
			return err
		}
		p := payment{OrderID: id, Attempt: attempt}
		return o.payment.Start(ctx, tx, p.reference(), p)
	})
	if err != nil {
		return domain.Snapshot{}, err
	}
	return o.outcome(ctx, id, attempt)
}

// outcome gives the order when the attempt to pay has ended, or after a while.
func (o *Orders) outcome(ctx context.Context, id string, attempt int) (domain.Snapshot, error) {
	const again = 50 * time.Millisecond // another process may carry the saga out, so there is nothing else to wait for
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	limit := time.NewTimer(o.Wait)
	defer limit.Stop()
	for {
		order, err := o.store.Get(ctx, id)
		if err != nil || order.Bill.Attempt != attempt || order.Bill.Status != domain.Paying {
			return order, err
		}
		select {
		case <-ctx.Done():
			return order, ctx.Err()
		case <-limit.C:
			return order, nil
		case <-ticker.C:
		}
	}
}

// sequence is the saga that pays an invoice.
func (o *Orders) sequence() saga.Definition[payment] {
	return saga.Definition[payment]{
		Name: "payment",
		Steps: []saga.Step[payment]{
			{Name: "verify", Retry: o.Patience, Do: o.charge, Undo: o.refund},
			{Name: "update", Retry: o.Patience, Do: o.markPaid, Undo: o.markUnpaid},
			{Name: "notify", Retry: o.Patience, Do: o.tellPaid},
		},
		Done: o.paymentDone,
	}
}

func (o *Orders) charge(ctx context.Context, p *payment) error {
	order, err := o.store.Get(ctx, p.OrderID)
	if err != nil {
		return saga.NoEffect(err)
	}
	err = o.Till.Charge(ctx, p.reference(), order.Bill.Method, order)
	if isRefusal(err) {
		return saga.Refused(err)
	}
	p.Charged = err == nil
	return err
}

func (o *Orders) refund(ctx context.Context, p *payment) error {
	err := o.Till.Refund(ctx, p.reference())
	if isRefusal(err) {
		return saga.Permanent(err) // there is money that cannot be given back: that is for a person to see
	}
	p.Refunded = err == nil
	return err
}

func (o *Orders) markPaid(ctx context.Context, p *payment) error {
	p.Marked = true // kept when it is
	return o.apply(ctx, "mark the order as paid", p, func(order *domain.Order) error { return order.Pay(p.Attempt, o.now()) })
}

func (o *Orders) markUnpaid(ctx context.Context, p *payment) error {
	_, err := o.store.Update(ctx, p.OrderID, func(order *domain.Order) error { return order.Unpay(p.Attempt) })
	if errors.Is(err, domain.ErrAttempt) {
		return saga.Permanent(err) // others were told that it is paid
	}
	return err
}

// tellPaid notifies: the event goes into the outbox in the transaction in which the attempt succeeds.
func (o *Orders) tellPaid(ctx context.Context, p *payment) error {
	return o.apply(ctx, "tell that the order is paid", p, func(order *domain.Order) error { return order.TellPaid(p.Attempt) })
}

// apply makes a change of the order a step. An error after which the change may be there comes from the commit alone.
func (o *Orders) apply(ctx context.Context, doing string, p *payment, change func(*domain.Order) error) error {
	var refused error
	err := o.Database.InTx(ctx, func(ctx context.Context, _ bun.Tx) error {
		_, refused = o.store.Update(ctx, p.OrderID, change)
		return refused
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(refused, domain.ErrAttempt):
		return saga.Refused(fmt.Errorf("%s: %w", doing, err))
	case refused != nil:
		return saga.NoEffect(fmt.Errorf("%s: %w", doing, err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Why an attempt to pay was given up, where no partner said why.
const (
	NotUpdated   = "order_not_updated"   // the customer was charged, and the order could not be changed
	NotTold      = "order_not_announced" // both was done, and others could not be told
	NotConfirmed = "payment_unconfirmed" // nobody knows whether the customer was charged
)

// reason is what the customer is told of an attempt that was given up for a cause.
func (p payment) reason(cause string) string {
	switch {
	case p.Marked:
		return NotTold
	case p.Charged:
		return NotUpdated
	}
	return reason(cause, NotConfirmed)
}

// paymentDone ends an attempt that was given up, with the end of its saga; one that succeeded has ended with its last step.
func (o *Orders) paymentDone(ctx context.Context, _ bun.Tx, _ string, p payment, outcome saga.State) error {
	as := domain.Paid
	if outcome != saga.Completed {
		if as = domain.Failed; p.Refunded {
			as = domain.Undone
		}
		why := p.reason(saga.Cause(ctx))
		_, err := o.store.Update(ctx, p.OrderID, func(order *domain.Order) error { return order.GiveUpPayment(p.Attempt, as, why) })
		if err != nil {
			return err
		}
	}
	database.AfterCommit(ctx, func() { o.metrics.Invoices(string(as)).Inc() })
	return nil
}
