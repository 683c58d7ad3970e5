package http

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// ListSuppliers gives the first suppliers, which the monolith still keeps.
func (h *Handler) ListSuppliers(ctx context.Context, request api.ListSuppliersRequestObject) (api.ListSuppliersResponseObject, error) {
	return h.answer(ctx, func(c *gin.Context) (*proxy.Answer, error) { return h.Strangler.Suppliers(c, request.Params.Limit) })
}
