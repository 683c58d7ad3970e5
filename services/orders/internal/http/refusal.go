package http

import (
	"errors"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// refusals are what a client is told when a rule of orders says no.
var refusals = []struct {
	err     error
	problem *problem.Problem
}{
	{store.ErrNotFound, problem.NotFound("order_not_found", "There is no such order.")},
	{domain.ErrUnknownItem, problem.NotFound("item_not_found", "The order has no such item.")},
	{domain.ErrNotDraft, problem.Conflict("order_not_draft", "The order is confirmed, and stays as it is.")},
	{domain.ErrPaying, problem.Conflict("order_being_paid", "The order is being paid by another method.")},
	{domain.ErrPaid, problem.Conflict("order_paid", "The order is paid by another method.")},
	{domain.ErrNotPayable, problem.Conflict("order_not_payable", "There is no invoice to pay: only a completed order has one that was left to it.")},
	{domain.ErrMethod, problem.Invalid("payment_method_invalid", "An invoice is not paid by an invoice.", at("/paymentMethod", "must be a payment method of the customer"))},
	{domain.ErrQuantity, problem.Invalid("quantity_invalid", "Of each product there must be 1 to 1000 pieces.")},
	{domain.ErrTooManyItems, problem.Invalid("items_exceeded", "An order has at most 50 products.")},
	{money.ErrCurrency, problem.Invalid("currencies_mixed", "All products of an order must have prices in one currency.")},
	{domain.ErrTotal, problem.Invalid("total_too_large", "The total of the order is too large.")},
	{domain.ErrAmount, problem.Invalid("amount_differs", "The payment must be of the order's total.", at("/amount", "is not the total"))},
	{domain.ErrAddress, problem.Invalid("address_invalid", "The address is empty.")},
}

// incomplete are the fields that a draft may lack for its confirmation.
var incomplete = []struct {
	err   error
	field problem.FieldError
}{
	{domain.ErrEmpty, at("/items", "has none")},
	{domain.ErrNoPayment, at("/paymentMethod", "is not set, or was cleared when the items changed")},
	{domain.ErrNoShipping, at("/shippingAddress", "is not set")},
}

func at(pointer, detail string) problem.FieldError {
	return problem.FieldError{In: "body", Pointer: pointer, Detail: detail}
}

// refusal is the problem behind an error of orders.
func refusal(err error) error {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.problem.WithCause(err)
		}
	}
	var missing []problem.FieldError
	for _, i := range incomplete {
		if errors.Is(err, i.err) {
			missing = append(missing, i.field)
		}
	}
	if missing != nil {
		return problem.Invalid("order_incomplete", "The order lacks something.", missing...).WithCause(err)
	}
	return err
}
