package http

import (
	"context"
	"net/http"

	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/domain"
)

// GatewayRefund gives a payment back, once. A reference that has not arrived is remembered, and refused when it does.
func (h *Handler) GatewayRefund(ctx context.Context, request api.GatewayRefundRequestObject) (api.GatewayRefundResponseObject, error) {
	payment, err := h.Store.Refund(ctx, domain.Tombstone(request.Reference, h.newID(), h.now()))
	if err != nil {
		return nil, err
	}
	told := answer(payment)
	if !payment.Arrived {
		told.StatusCode = http.StatusNotFound
		return api.GatewayRefund404JSONResponse(told), nil
	}
	return api.GatewayRefund200JSONResponse(told), nil
}
