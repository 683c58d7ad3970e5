package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// GetProductUnversioned gives the product of an id in the version that a header names.
func (h *Handler) GetProductUnversioned(ctx context.Context, request api.GetProductUnversionedRequestObject) (api.GetProductUnversionedResponseObject, error) {
	return h.get(ctx, request.ID)
}
