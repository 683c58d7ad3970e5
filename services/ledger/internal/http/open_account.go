package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/ledger/api"
)

// OpenAccount is to be written: POST /v1/accounts.
func (h *Handler) OpenAccount(_ context.Context, _ api.OpenAccountRequestObject) (api.OpenAccountResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation openAccount is not written yet.")
}
