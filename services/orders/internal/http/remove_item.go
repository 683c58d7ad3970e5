package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// RemoveItem is to be written: DELETE /v1/orders/{id}/items/{productId}.
func (h *Handler) RemoveItem(_ context.Context, _ api.RemoveItemRequestObject) (api.RemoveItemResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation removeItem is not written yet.")
}
