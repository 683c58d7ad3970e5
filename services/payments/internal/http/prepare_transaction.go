package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

// PrepareTransaction is to be written: PUT /v1/transactions/{id}.
func (h *Handler) PrepareTransaction(_ context.Context, _ api.PrepareTransactionRequestObject) (api.PrepareTransactionResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation prepareTransaction is not written yet.")
}
