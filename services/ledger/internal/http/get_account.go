package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// GetAccount is to be written: GET /v1/accounts/{id}.
func (h *Handler) GetAccount(_ context.Context, _ api.GetAccountRequestObject) (api.GetAccountResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation getAccount is not written yet.")
}
