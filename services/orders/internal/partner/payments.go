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

var _ app.Partner = Payments{}

var errPending = errors.New("the payment gateway has not told the outcome yet")

// Do charges the customer. A charge whose outcome is not known yet is an error: to ask again does not charge again.
func (p Payments) Do(ctx context.Context, order domain.Order) error {
	const doing = "charge the customer"
	answer, err := p.Client.ChargePaymentWithResponse(ctx, order.ID, paymentsapi.ChargePaymentJSONRequestBody{
		CustomerID: order.Customer.ID, Amount: price(order), Method: order.Terms.PaymentMethod,
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

// Undo gives back what was charged. While the payment gateway is away, payments has only accepted it: it goes on by itself until the
// customer has the money.
func (p Payments) Undo(ctx context.Context, orderID string) error {
	const doing = "refund the customer"
	answer, err := p.Client.RefundPaymentWithResponse(ctx, orderID)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return verdict(doing, answer.StatusCode(), answer.Body)
}

func price(order domain.Order) paymentsapi.Money {
	return paymentsapi.Money{Amount: order.Total.Amount(), Currency: order.Total.Currency()}
}

// given is a text that an answer may leave out.
func given(text *string, otherwise string) string {
	if text == nil || *text == "" {
		return otherwise
	}
	return *text
}
