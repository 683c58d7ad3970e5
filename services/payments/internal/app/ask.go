package app

import (
	"context"
	"time"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// ask asks the gateway for what an open payment wants, for the asked-th time, and keeps what it tells. It goes on when the
// caller goes away: an answer that nobody kept would have to be looked up.
func (p *Payments) ask(ctx context.Context, payment domain.Payment, asked int) (domain.Payment, error) {
	outcome := p.patiently(ctx, func(ctx context.Context) domain.Outcome {
		if payment.Status == domain.Refunding {
			return p.gateway.Refund(ctx, payment.Reference)
		}
		return p.charge(ctx, payment, asked)
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keeping)
	defer cancel()
	next := p.now().Add(pause(asked))
	kept, err := p.keep(ctx, payment, next, outcome)
	if err != nil || !kept.Open() {
		return kept, err
	}
	return kept, p.store.Postpone(ctx, kept, next)
}

// charge sends a charge. From the second time on it is looked up first; and so it is when its answer is lost.
func (p *Payments) charge(ctx context.Context, payment domain.Payment, asked int) domain.Outcome {
	if asked > 1 {
		if found := p.gateway.Lookup(ctx, payment.Reference, payment.Amount); found.Result != domain.Absent {
			return found
		}
	}
	outcome := p.gateway.Charge(ctx, payment.Reference, payment.Card, payment.Amount)
	if outcome.Result != domain.Unknown {
		return outcome
	}
	if found := p.gateway.Lookup(ctx, payment.Reference, payment.Amount); found.Result != domain.Absent {
		return found
	}
	return outcome // it may be on its way yet
}

// refresh asks what became of an open payment, without sending a charge. A worker keeps being the one who does.
func (p *Payments) refresh(ctx context.Context, payment domain.Payment) (domain.Payment, error) {
	if !payment.Open() {
		return payment, nil
	}
	outcome := p.patiently(ctx, func(ctx context.Context) domain.Outcome {
		if payment.Status == domain.Refunding {
			return p.gateway.Refund(ctx, payment.Reference)
		}
		return p.gateway.Lookup(ctx, payment.Reference, payment.Amount)
	})
	return p.keep(ctx, payment, time.Time{}, outcome)
}

// patiently asks the gateway, but not for longer than a request can wait.
func (p *Payments) patiently(ctx context.Context, ask func(context.Context) domain.Outcome) domain.Outcome {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return ask(ctx)
}

// keep keeps what the gateway told of a payment as it was when asked, with the event that tells of it.
func (p *Payments) keep(ctx context.Context, asked domain.Payment, next time.Time, outcome domain.Outcome) (domain.Payment, error) {
	if outcome.Result == domain.Refused && asked.Bound && asked.Status == domain.Pending {
		p.log.ErrorContext(ctx, "the payment gateway broke its promise and refused a charge: it is tried again under a new reference",
			"order", asked.Order.ID, "payment", asked.ID, "reason", outcome.Reason)
	}
	changed := false
	kept, err := p.store.Update(ctx, asked.Order.ID, next, func(payment *domain.Payment) ([]event.Event, error) {
		before := payment.Status
		if asked.Status == domain.Refunding {
			payment.GiveBack(outcome)
		} else {
			payment.Settle(asked.Reference, outcome)
		}
		if changed = payment.Status != before; !changed {
			return nil, nil
		}
		return p.outcome(*payment)
	})
	if err == nil && changed {
		p.count(kept)
	}
	return kept, err
}

// outcome is the event that tells whether an order was charged, when others wait for it and it is known.
func (p *Payments) outcome(payment domain.Payment) ([]event.Event, error) {
	if !payment.Announced {
		return nil, nil
	}
	var e event.Event
	var err error
	switch payment.Status {
	case domain.Succeeded:
		e, err = event.New(api.PaymentProcessedV1Type, payment.Order.ID, api.PaymentProcessedV1{
			OrderID: payment.Order.ID, PaymentID: payment.ID, CustomerID: payment.CustomerID, ProcessedAt: p.now(),
			Amount: api.PaymentProcessedV1Amount{Amount: payment.Amount.Amount(), Currency: payment.Amount.Currency()},
		})
	case domain.Failed:
		e, err = event.New(api.PaymentFailedV1Type, payment.Order.ID, api.PaymentFailedV1{
			OrderID: payment.Order.ID, CustomerID: payment.CustomerID, Reason: payment.Reason, FailedAt: p.now(),
		})
	case domain.Promised, domain.Pending, domain.Refunding, domain.Refunded:
		return nil, nil
	}
	return []event.Event{e}, err
}
