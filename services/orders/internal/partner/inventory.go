package partner

import (
	"context"
	"fmt"

	inventoryapi "github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/http"
)

// Inventory keeps the stock of orders.
type Inventory struct{ Client http.Inventory }

var _ app.Partner = Inventory{}

// Do reserves what the order needs.
func (p Inventory) Do(ctx context.Context, order domain.Order) error {
	const doing = "reserve stock"
	answer, err := p.Client.ReserveStockWithResponse(ctx, order.ID, inventoryapi.ReserveStockJSONRequestBody{Items: stockLines(order)})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

// Undo releases it.
func (p Inventory) Undo(ctx context.Context, orderID string) error {
	const doing = "release stock"
	answer, err := p.Client.ReleaseStockWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

func stockLines(order domain.Order) []inventoryapi.Line {
	lines := make([]inventoryapi.Line, len(order.Items))
	for i, item := range order.Items {
		lines[i] = inventoryapi.Line{ProductID: item.ProductID, Quantity: item.Quantity}
	}
	return lines
}
