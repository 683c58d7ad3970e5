package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/shipping/api"
)

// CommitTransaction does what was promised to the transaction.
func (h *Handler) CommitTransaction(ctx context.Context, request api.CommitTransactionRequestObject) (api.CommitTransactionResponseObject, error) {
	if err := h.Transactions.Commit(ctx, request.ID); err != nil {
		return nil, refusal(err)
	}
	return api.CommitTransaction204Response{}, nil
}
