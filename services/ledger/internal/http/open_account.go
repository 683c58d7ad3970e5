package http

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
)

// OpenAccount opens an account. The account, the used Idempotency-Key and the answer are kept together.
func (h *Handler) OpenAccount(ctx context.Context, request api.OpenAccountRequestObject) (api.OpenAccountResponseObject, error) {
	opening, err := amount(request.Body.Opening)
	if err != nil {
		return nil, err
	}
	var answer api.OpenAccount201JSONResponse
	err = h.ledger.Open(ctx, request.Body.Owner, opening, func(ctx context.Context, tx bun.Tx, opened store.Account) error {
		answer = api.OpenAccount201JSONResponse(present(opened))
		return idempotency.Complete(ctx, tx, answer.VisitOpenAccountResponse)
	})
	if err != nil {
		return nil, refusal(err)
	}
	return answer, nil
}
