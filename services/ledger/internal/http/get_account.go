package http

import (
	"context"
	"time"

	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// GetAccount gives an account as it is, or as it was at a moment.
func (h *Handler) GetAccount(ctx context.Context, request api.GetAccountRequestObject) (api.GetAccountResponseObject, error) {
	var at time.Time
	if request.Params.At != nil {
		at = *request.Params.At
	}
	account, err := h.ledger.Get(ctx, request.ID, at)
	if err != nil {
		return nil, refusal(err)
	}
	return api.GetAccount200JSONResponse(present(account)), nil
}
