package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// ListProductsUnversioned gives products in the version that a header names.
func (h *Handler) ListProductsUnversioned(ctx context.Context, request api.ListProductsUnversionedRequestObject) (api.ListProductsUnversionedResponseObject, error) {
	return h.list(ctx, request.Params.After, request.Params.Limit, request.Params.Ids)
}
