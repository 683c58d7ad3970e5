package http

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// AddItem adds a product to a draft at the price that catalog has now. With an Idempotency-Key it may be repeated.
func (h *Handler) AddItem(ctx context.Context, request api.AddItemRequestObject) (api.AddItemResponseObject, error) {
	if err := h.own(ctx, request.ID); err != nil {
		return nil, err
	}
	item, err := h.item(ctx, "/productId", *request.Body)
	if err != nil {
		return nil, err
	}
	var answer api.AddItem200JSONResponse
	_, err = h.Orders.Change(ctx, request.ID, func(order *domain.Order) error { return order.AddItem(item) },
		func(ctx context.Context, tx bun.Tx, kept domain.Snapshot) error {
			shown, err := present(kept)
			if err != nil {
				return err
			}
			answer = api.AddItem200JSONResponse(shown)
			return idempotency.Complete(ctx, tx, answer.VisitAddItemResponse)
		})
	return answer, refusal(err)
}
