package http

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// ListProducts gives a page of products, of the catalog or of the monolith.
func (h *Handler) ListProducts(ctx context.Context, request api.ListProductsRequestObject) (api.ListProductsResponseObject, error) {
	return h.answer(ctx, func(c *gin.Context) (*proxy.Answer, error) { return h.Strangler.Products(c, request.Params) })
}
