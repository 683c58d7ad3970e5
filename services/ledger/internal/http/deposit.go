package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// Deposit is to be written: POST /v1/accounts/{id}/deposits.
func (h *Handler) Deposit(_ context.Context, _ api.DepositRequestObject) (api.DepositResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation deposit is not written yet.")
}
