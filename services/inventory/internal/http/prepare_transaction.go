package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/participant"
)

// PrepareTransaction promises to the transaction what its order needs, or says why not.
func (h *Handler) PrepareTransaction(ctx context.Context, request api.PrepareTransactionRequestObject) (api.PrepareTransactionResponseObject, error) {
	lines, err := linesOf(request.Body.Items)
	if err != nil {
		return nil, err
	}
	err = h.Transactions.Prepare(ctx, request.ID, participant.Order{ID: request.Body.OrderID, Lines: lines})
	switch {
	case twophase.IsRefused(err):
		reason := problem.From(refusal(err)).Code
		return api.PrepareTransaction200JSONResponse{Vote: api.No, Reason: &reason}, nil
	case err != nil:
		return nil, err
	}
	return api.PrepareTransaction200JSONResponse{Vote: api.Yes}, nil
}
