package http

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// GetSupplier gives a supplier, which the monolith still keeps.
func (h *Handler) GetSupplier(ctx context.Context, request api.GetSupplierRequestObject) (api.GetSupplierResponseObject, error) {
	return h.answer(ctx, func(c *gin.Context) (*proxy.Answer, error) { return h.Strangler.Supplier(c, request.ID) })
}
