package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/shipping/api"
)

// AbortTransaction is to be written: PUT /v1/transactions/{id}/abort.
func (h *Handler) AbortTransaction(_ context.Context, _ api.AbortTransactionRequestObject) (api.AbortTransactionResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation abortTransaction is not written yet.")
}
