package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// GetProductV2 gives the product of an id as version 2 has it.
func (h *Handler) GetProductV2(ctx context.Context, request api.GetProductV2RequestObject) (api.GetProductV2ResponseObject, error) {
	return h.get(ctx, request.ID)
}
