package partner

import (
	"context"
	"errors"
	"fmt"

	"github.com/trellis-mesh/trellis/services/orders/internal/app"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/http"
	paymentsapi "github.com/trellis-mesh/trellis/services/payments/api"
)

// Payments charges customers.
type Payments struct{ Client http.Payments }

var (
	_ app.Partner = Payments{}
	_ app.Till    = Payments{}
)

var errPending = errors.New("the payment gateway has not told the outcome yet")

// Do charges the customer, as Charge does.
func (p Payments) Do(ctx context.Context, order domain.Snapshot) error {
	return p.Charge(ctx, order.ID, order.Payment.Method, order)
}

// Undo gives back what was charged, as Refund does.
func (p Payments) Undo(ctx context.Context, orderID string) error { return p.Refund(ctx, orderID) }

// Charge charges the customer. A charge whose outcome is not known yet is an error: to ask again does not charge again.
func (p Payments) Charge(ctx context.Context, reference, method string, order domain.Snapshot) error {
	const doing = "charge the customer"
	answer, err := p.Client.ChargePaymentWithResponse(ctx, reference, paymentsapi.ChargePaymentJSONRequestBody{
		CustomerID: order.Customer.ID, Amount: price(order), Method: method,
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
	switch answer.JSON200.Status {
	case paymentsapi.PaymentStatusSucceeded:
		return nil
	case paymentsapi.PaymentStatusPending:
		return fmt.Errorf("%s: %w", doing, errPending)
	case paymentsapi.PaymentStatusFailed:
		return fmt.Errorf("%s: %w", doing, &app.Refusal{Reason: given(answer.JSON200.Reason, "payment_failed")})
	case paymentsapi.PaymentStatusRefunding, paymentsapi.PaymentStatusRefunded:
		return fmt.Errorf("%s: %w", doing, &app.Refusal{Reason: "payment_refunded"})
	}
	return unread(doing)
}

// Refund gives back what was charged. While the payment gateway is away, payments has only accepted it: it goes on by itself until the
// customer has the money.
func (p Payments) Refund(ctx context.Context, reference string) error {
	const doing = "refund the customer"
	answer, err := p.Client.RefundPaymentWithResponse(ctx, reference)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

// Prepare has the payment promised.
func (p Payments) Prepare(ctx context.Context, order domain.Snapshot) error {
	const doing = "promise the payment"
	answer, err := p.Client.PrepareTransactionWithResponse(ctx, order.ID, paymentsapi.PrepareTransactionJSONRequestBody{
		OrderID: order.ID, CustomerID: order.Customer.ID, Items: paymentLines(order), PaymentMethod: order.Payment.Method,
		Total: price(order),
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
func (p Payments) Commit(ctx context.Context, orderID string) error {
	const doing = "commit the payment"
	answer, err := p.Client.CommitTransactionWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

// Abort has the promise dropped.
func (p Payments) Abort(ctx context.Context, orderID string) error {
	const doing = "abort the payment"
	answer, err := p.Client.AbortTransactionWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

func price(order domain.Snapshot) paymentsapi.Money {
	return paymentsapi.Money{Amount: order.Total.Amount(), Currency: order.Total.Currency()}
}

func paymentLines(order domain.Snapshot) []paymentsapi.Line {
	lines := make([]paymentsapi.Line, len(order.Items))
	for i, item := range order.Items {
		lines[i] = paymentsapi.Line{ProductID: item.ProductID, Quantity: int(item.Quantity)}
	}
	return lines
}
