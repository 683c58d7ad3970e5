package partner

import (
	"context"
	"fmt"

	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/http"
	shippingapi "github.com/trellis-mesh/trellis/services/shipping/api"
)

// Shipping sends orders.
type Shipping struct{ Client http.Shipping }

var _ app.Partner = Shipping{}

// Do arranges the shipment.
func (p Shipping) Do(ctx context.Context, order domain.Snapshot) error {
	const doing = "arrange the shipment"
	body := shippingapi.ArrangeShipmentJSONRequestBody{CustomerID: order.Customer.ID, Items: shippingLines(order)}
	if address := order.Shipping.Address; address != "" {
		body.Address = &address
	}
	answer, err := p.Client.ArrangeShipmentWithResponse(ctx, order.ID, body)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

// Undo cancels it.
func (p Shipping) Undo(ctx context.Context, orderID string) error {
	const doing = "cancel the shipment"
	answer, err := p.Client.CancelShipmentWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

// Prepare has the shipment promised.
func (p Shipping) Prepare(ctx context.Context, order domain.Snapshot) error {
	const doing = "promise the shipment"
	answer, err := p.Client.PrepareTransactionWithResponse(ctx, order.ID, shippingapi.PrepareTransactionJSONRequestBody{
		OrderID: order.ID, CustomerID: order.Customer.ID, Items: shippingLines(order), PaymentMethod: order.Payment.Method,
		Total: shippingapi.Money{Amount: order.Total.Amount(), Currency: order.Total.Currency()},
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
func (p Shipping) Commit(ctx context.Context, orderID string) error {
	const doing = "commit the shipment"
	answer, err := p.Client.CommitTransactionWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

// Abort has the promise dropped.
func (p Shipping) Abort(ctx context.Context, orderID string) error {
	const doing = "abort the shipment"
	answer, err := p.Client.AbortTransactionWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

func shippingLines(order domain.Snapshot) []shippingapi.Line {
	lines := make([]shippingapi.Line, len(order.Items))
	for i, item := range order.Items {
		lines[i] = shippingapi.Line{ProductID: item.ProductID, Quantity: int(item.Quantity)}
	}
	return lines
}
