package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// Withdraw is to be written: POST /v1/accounts/{id}/withdrawals.
func (h *Handler) Withdraw(_ context.Context, _ api.WithdrawRequestObject) (api.WithdrawResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation withdraw is not written yet.")
}
