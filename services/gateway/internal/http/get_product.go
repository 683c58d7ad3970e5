package http

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// GetProduct gives a product, of the catalog or of the monolith.
func (h *Handler) GetProduct(ctx context.Context, request api.GetProductRequestObject) (api.GetProductResponseObject, error) {
	return h.answer(ctx, func(c *gin.Context) (*proxy.Answer, error) { return h.Strangler.Product(c, request.ID) })
}
