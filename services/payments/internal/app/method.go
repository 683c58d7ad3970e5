package app

import (
	"context"
	"fmt"

	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// Register hands a card to the gateway and keeps the name that the gateway gives it. Nothing is charged, so a customer who
// gets ErrGateway may simply try again; ErrCard says why a card was refused.
func (p *Payments) Register(ctx context.Context, customerID string, card domain.Card) (domain.Method, error) {
	reference := p.newID()
	outcome := p.patiently(ctx, func(ctx context.Context) domain.Outcome {
		outcome := p.gateway.Register(ctx, reference, card)
		if outcome.Result == domain.Unknown {
			outcome = p.gateway.Lookup(ctx, reference, money.Money{})
		}
		return outcome
	})
	switch outcome.Result {
	case domain.Success:
	case domain.Refused:
		return domain.Method{}, fmt.Errorf("%w: %s", ErrCard, outcome.Reason)
	case domain.Error, domain.Unknown, domain.Absent:
		return domain.Method{}, ErrGateway
	}
	method := domain.Method{
		ID: reference, CustomerID: customerID, Brand: card.Brand(), Last4: card.Last4(), Card: outcome.TransactionID, CreatedAt: p.now(),
	}
	return method, p.store.KeepMethod(ctx, method)
}
