package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/payments/api"
)

// CommitTransaction charges what was promised, now or, while the gateway is away, as soon as that is back.
func (h *Handler) CommitTransaction(ctx context.Context, request api.CommitTransactionRequestObject) (api.CommitTransactionResponseObject, error) {
	if err := h.payments.Commit(ctx, request.ID); err != nil {
		return nil, refusal(err)
	}
	return api.CommitTransaction204Response{}, nil
}
