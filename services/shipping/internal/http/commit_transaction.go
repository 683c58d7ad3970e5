package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/shipping/api"
)

// CommitTransaction is to be written: PUT /v1/transactions/{id}/commit.
func (h *Handler) CommitTransaction(_ context.Context, _ api.CommitTransactionRequestObject) (api.CommitTransactionResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation commitTransaction is not written yet.")
}
