package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/shipping/api"
)

// AbortTransaction drops what was promised to the transaction, or will be.
func (h *Handler) AbortTransaction(ctx context.Context, request api.AbortTransactionRequestObject) (api.AbortTransactionResponseObject, error) {
	if err := h.Transactions.Abort(ctx, request.ID); err != nil {
		return nil, refusal(err)
	}
	return api.AbortTransaction204Response{}, nil
}
