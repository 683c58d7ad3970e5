package http

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
)

// Withdraw takes money out of an account that has it. The booking, the used Idempotency-Key and the answer are kept together.
func (h *Handler) Withdraw(ctx context.Context, request api.WithdrawRequestObject) (api.WithdrawResponseObject, error) {
	amount, text, err := booking(request.Body)
	if err != nil {
		return nil, err
	}
	var answer api.Withdraw200JSONResponse
	err = h.ledger.Withdraw(ctx, request.ID, amount, text, func(ctx context.Context, tx bun.Tx, changed store.Account) error {
		answer = api.Withdraw200JSONResponse(present(changed))
		return idempotency.Complete(ctx, tx, answer.VisitWithdrawResponse)
	})
	if err != nil {
		return nil, refusal(err)
	}
	return answer, nil
}
