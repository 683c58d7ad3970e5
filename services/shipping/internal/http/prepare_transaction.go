package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/participant"
)

// PrepareTransaction promises to the transaction the shipment of its order, or says why not.
func (h *Handler) PrepareTransaction(ctx context.Context, request api.PrepareTransactionRequestObject) (api.PrepareTransactionResponseObject, error) {
	order := participant.Order{
		ID: request.Body.OrderID, Parcel: domain.Parcel{CustomerID: request.Body.CustomerID, Lines: linesOf(request.Body.Items)},
	}
	err := h.Transactions.Prepare(ctx, request.ID, order)
	switch {
	case twophase.IsRefused(err):
		reason := problem.From(refusal(err)).Code
		return api.PrepareTransaction200JSONResponse{Vote: api.No, Reason: &reason}, nil
	case err != nil:
		return nil, err
	}
	return api.PrepareTransaction200JSONResponse{Vote: api.Yes}, nil
}
