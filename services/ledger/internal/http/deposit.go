package http

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
)

// Deposit puts money into an account. The booking, the used Idempotency-Key and the answer are kept together.
func (h *Handler) Deposit(ctx context.Context, request api.DepositRequestObject) (api.DepositResponseObject, error) {
	amount, text, err := booking(request.Body)
	if err != nil {
		return nil, err
	}
	var answer api.Deposit200JSONResponse
	err = h.ledger.Deposit(ctx, request.ID, amount, text, func(ctx context.Context, tx bun.Tx, changed store.Account) error {
		answer = api.Deposit200JSONResponse(present(changed))
		return idempotency.Complete(ctx, tx, answer.VisitDepositResponse)
	})
	if err != nil {
		return nil, refusal(err)
	}
	return answer, nil
}
