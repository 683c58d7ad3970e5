package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/payments/api"
)

// AbortTransaction drops what was promised, or will be asked for.
func (h *Handler) AbortTransaction(ctx context.Context, request api.AbortTransactionRequestObject) (api.AbortTransactionResponseObject, error) {
	if err := h.payments.Abort(ctx, request.ID); err != nil {
		return nil, refusal(err)
	}
	return api.AbortTransaction204Response{}, nil
}
