package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/apiversion"
	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// GetProduct gives the product of an id.
func (h *Handler) GetProduct(ctx context.Context, request api.GetProductRequestObject) (api.GetProductResponseObject, error) {
	return h.get(ctx, request.ID)
}

// get gives the product of an id in the version that the request is for.
func (h *Handler) get(ctx context.Context, id string) (shown, error) {
	product, err := h.Reader.Get(ctx, id)
	return shown{apiversion.Of(ctx), product}, refusal(err)
}
