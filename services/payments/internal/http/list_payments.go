package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// defaultLimit is the size of the list when the request names none.
const defaultLimit = 50

// ListPayments gives a customer's payments, the latest first, as they are known: those that the gateway did not tell about
// when it was asked last are marked.
func (h *Handler) ListPayments(ctx context.Context, request api.ListPaymentsRequestObject) (api.ListPaymentsResponseObject, error) {
	if err := auth.Own(ctx, request.Params.CustomerID); err != nil {
		return nil, err
	}
	limit := defaultLimit
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	payments, err := h.payments.List(ctx, request.Params.CustomerID, limit)
	if err != nil {
		return nil, err
	}
	list := api.ListPayments200JSONResponse{Items: make([]api.Payment, len(payments))}
	for i, payment := range payments {
		list.Items[i] = present(payment)
	}
	return list, nil
}
