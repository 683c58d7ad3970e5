package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

// CreatePaymentMethod hands a card to the gateway. Of the card, its brand and last digits are kept. With an Idempotency-Key it may be
// repeated; a crash at the wrong moment then leaves a card on file that nobody has heard of, and nothing is charged for that.
func (h *Handler) CreatePaymentMethod(ctx context.Context, request api.CreatePaymentMethodRequestObject) (api.CreatePaymentMethodResponseObject, error) {
	if err := auth.Own(ctx, request.Body.CustomerID); err != nil {
		return nil, err
	}
	card := request.Body.Card
	method, err := h.payments.Register(ctx, request.Body.CustomerID, domain.NewCard(card.Number, card.ExpiryMonth, card.ExpiryYear, card.Cvv))
	if err != nil {
		return nil, refusal(err)
	}
	return api.CreatePaymentMethod201JSONResponse{ID: method.ID, CustomerID: method.CustomerID, Brand: method.Brand, Last4: method.Last4}, nil
}
