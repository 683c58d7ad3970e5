package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/payments/api"
)

// PrepareTransaction votes on charging an order. Yes promises that its charge will succeed.
func (h *Handler) PrepareTransaction(ctx context.Context, request api.PrepareTransactionRequestObject) (api.PrepareTransactionResponseObject, error) {
	order, err := ordered(request.Body.OrderID, request.Body.CustomerID, request.Body.PaymentMethod, request.Body.Total)
	if err != nil {
		return nil, err
	}
	yes, reason, err := h.payments.Prepare(ctx, request.ID, order)
	switch {
	case err != nil:
		return nil, refusal(err)
	case yes:
		return api.PrepareTransaction200JSONResponse{Vote: "yes"}, nil
	}
	return api.PrepareTransaction200JSONResponse{Vote: "no", Reason: given(reason)}, nil
}
