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
func (p Inventory) Do(ctx context.Context, order domain.Snapshot) error {
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

// Prepare has stock promised.
func (p Inventory) Prepare(ctx context.Context, order domain.Snapshot) error {
	const doing = "promise stock"
	answer, err := p.Client.PrepareTransactionWithResponse(ctx, order.ID, inventoryapi.PrepareTransactionJSONRequestBody{
		OrderID: order.ID, CustomerID: order.Customer.ID, Items: stockLines(order), PaymentMethod: order.Payment.Method,
		Total: inventoryapi.Money{Amount: order.Total.Amount(), Currency: order.Total.Currency()},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err := verdict(doing, answer.StatusCode(), answer.Body); err != nil {
		return err
	}
	if answer.JSON200 == nil {
		return unread(doing)
	}
	return vote(doing, string(answer.JSON200.Vote), answer.JSON200.Reason)
}

// Commit has the promise kept.
func (p Inventory) Commit(ctx context.Context, orderID string) error {
	const doing = "commit stock"
	answer, err := p.Client.CommitTransactionWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

// Abort has the promise dropped.
func (p Inventory) Abort(ctx context.Context, orderID string) error {
	const doing = "abort stock"
	answer, err := p.Client.AbortTransactionWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

func stockLines(order domain.Snapshot) []inventoryapi.Line {
	lines := make([]inventoryapi.Line, len(order.Items))
	for i, item := range order.Items {
		lines[i] = inventoryapi.Line{ProductID: item.ProductID, Quantity: int(item.Quantity)}
	}
	return lines
}
