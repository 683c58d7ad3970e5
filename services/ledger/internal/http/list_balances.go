package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// ListBalances is to be written: GET /v1/balances.
func (h *Handler) ListBalances(_ context.Context, _ api.ListBalancesRequestObject) (api.ListBalancesResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation listBalances is not written yet.")
}
