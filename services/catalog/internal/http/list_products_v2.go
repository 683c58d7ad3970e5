package http

import (
	"context"

	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// ListProductsV2 gives products as version 2 has them.
func (h *Handler) ListProductsV2(ctx context.Context, request api.ListProductsV2RequestObject) (api.ListProductsV2ResponseObject, error) {
	return h.list(ctx, request.Params.After, request.Params.Limit, request.Params.Ids)
}
