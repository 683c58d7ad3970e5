package http

import (
	"context"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/internal/monolith"
)

// MonolithPutProduct keeps a product under its id.
func (h *Handler) MonolithPutProduct(ctx context.Context, request api.MonolithPutProductRequestObject) (api.MonolithPutProductResponseObject, error) {
	body := request.Body
	if body.ProductID != request.ID {
		return nil, problem.Invalid("product_id_differs", "The product has another id than the path.",
			problem.FieldError{In: "body", Pointer: "/product_id", Detail: "must be the id in the path"})
	}
	product := monolith.Product{
		ID: body.ProductID, Code: body.ProductCode, Title: body.Title, PriceCents: body.PriceCents, Currency: body.CurrencyCode,
	}
	if body.LongText != nil {
		product.LongText = *body.LongText
	}
	kept, err := h.Monolith.PutProduct(ctx, product, h.now())
	if err != nil {
		return nil, err
	}
	return api.MonolithPutProduct200JSONResponse(oldProduct(kept)), nil
}
