package http

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/trellis-mesh/trellis/chassis/compose"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
)

// lookups is how many products one order looks up at the same time.
const lookups = 5

// items asks catalog for the names and prices of what is ordered.
func (h *Handler) items(ctx context.Context, ordered []api.NewItem) ([]domain.Item, error) {
	items := make([]domain.Item, len(ordered))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, line := range ordered {
		group.Go(func() (err error) {
			items[i], err = h.item(ctx, fmt.Sprintf("/items/%d/productId", i), line)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return items, nil
}

// item asks for one, which the request names at the pointer.
func (h *Handler) item(ctx context.Context, pointer string, line api.NewItem) (domain.Item, error) {
	answer, err := h.Clients.Catalog.GetProductWithResponse(ctx, line.ProductID)
	switch {
	case err != nil:
		return domain.Item{}, compose.Failed("catalog", err)
	case answer.ApplicationProblemJSON404 != nil && answer.ApplicationProblemJSON404.Code == "product_not_found": // not a proxy's 404
		return domain.Item{}, problem.Invalid("product_not_found", "There is no such product.",
			at(pointer, "is not known to catalog"))
	case answer.JSON200 == nil:
		return domain.Item{}, problem.BadGateway("catalog_failed", "The service catalog gave no usable answer.")
	}
	product := answer.JSON200
	price, err := money.New(product.Price.Amount, product.Price.Currency)
	if err != nil {
		return domain.Item{}, problem.BadGateway("catalog_failed", "The service catalog gave no usable price.").WithCause(err)
	}
	quantity, err := domain.NewQuantity(line.Quantity)
	if err != nil {
		return domain.Item{}, refusal(err)
	}
	return domain.Item{ProductID: product.ID, Name: product.Name, Quantity: quantity, UnitPrice: price}, nil
}
