package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/orders/api"
)

// AddItem is to be written: POST /v1/orders/{id}/items.
func (h *Handler) AddItem(_ context.Context, _ api.AddItemRequestObject) (api.AddItemResponseObject, error) {
	return nil, problem.NotImplemented("not_implemented", "The operation addItem is not written yet.")
}
