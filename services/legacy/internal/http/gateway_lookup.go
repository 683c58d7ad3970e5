package http

import (
	"context"
	"errors"
	"net/http"

	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/store"
)

// GatewayLookup tells what became of a reference: what it was answered, and what of it is still charged.
func (h *Handler) GatewayLookup(ctx context.Context, request api.GatewayLookupRequestObject) (api.GatewayLookupResponseObject, error) {
	payment, err := h.Store.Get(ctx, request.Reference)
	if errors.Is(err, store.ErrNotFound) {
		return api.GatewayLookup404JSONResponse{
			StatusCode: http.StatusNotFound, ResponseMessage: "no payment of this reference has arrived", TransactionDate: h.now(),
		}, nil
	}
	if err != nil {
		return nil, err
	}
	return api.GatewayLookup200JSONResponse(answer(payment)), nil
}
