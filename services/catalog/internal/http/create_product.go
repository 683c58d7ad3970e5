package http

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/services/catalog/api"
)

// CreateProduct keeps a new product. With an Idempotency-Key it may be repeated: the product, the used key and the answer are kept
// together.
func (h *Handler) CreateProduct(ctx context.Context, request api.CreateProductRequestObject) (api.CreateProductResponseObject, error) {
	product, err := h.product(h.newID(), 1, request.Body)
	if err != nil {
		return nil, err
	}
	answer := api.CreateProduct201JSONResponse(present(product))
	err = h.Store.Create(ctx, product, func(ctx context.Context, tx bun.Tx) error {
		return idempotency.Complete(ctx, tx, answer.VisitCreateProductResponse)
	})
	if err != nil {
		return nil, refusal(err)
	}
	return answer, nil
}
