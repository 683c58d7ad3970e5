// Package http answers the operations of the contract, one file an operation.
package http

import (
	"errors"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/app"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
)

// Handler answers the operations of the contract.
type Handler struct {
	payments *app.Payments
}

var _ api.StrictServerInterface = (*Handler)(nil)

// New makes a handler.
func New(payments *app.Payments) *Handler {
	return &Handler{payments: payments}
}

// ordered is what a request asks to be paid. An amount that is none is refused.
func ordered(id, customerID, method string, total api.Money) (domain.Order, error) {
	amount, err := money.New(total.Amount, total.Currency)
	if err != nil {
		return domain.Order{}, problem.Invalid("amount_invalid", err.Error())
	}
	return domain.Order{ID: id, CustomerID: customerID, Method: method, Amount: amount}, nil
}

// refusals are what a client is told about the errors that it can do something about.
var refusals = []struct {
	err     error
	problem func(detail string) *problem.Problem
}{
	{store.ErrNotFound, func(string) *problem.Problem {
		return problem.NotFound("payment_not_found", "The order has no payment.")
	}},
	{app.ErrMethod, func(string) *problem.Problem {
		return problem.Invalid("payment_method_not_found", "The customer has no such payment method.")
	}},
	{app.ErrAmount, func(detail string) *problem.Problem { return problem.Invalid("amount_invalid", detail) }},
	{app.ErrCard, func(detail string) *problem.Problem { return problem.Invalid("card_refused", detail) }},
	{app.ErrGateway, func(string) *problem.Problem {
		return problem.Unavailable("gateway_unavailable", "The payment gateway does not answer. Nothing was charged; try again later.").WithRetryAfter(time.Second)
	}},
	{domain.ErrOther, func(string) *problem.Problem {
		return problem.Conflict("payment_differs", "The order has another payment: of another customer, amount or method.")
	}},
	{domain.ErrRefunded, func(string) *problem.Problem {
		return problem.Conflict("payment_refunded", "The order's payment was refunded; it cannot be charged any more.")
	}},
	{domain.ErrPromised, func(string) *problem.Problem {
		return problem.Conflict("payment_promised", "The order's payment is promised to a transaction. Commit or abort that.")
	}},
	{domain.ErrUnknownTransaction, func(string) *problem.Problem {
		return problem.Conflict("transaction_unknown", "The transaction was never voted for.")
	}},
	{domain.ErrAborted, func(string) *problem.Problem {
		return problem.Conflict("transaction_aborted", "The transaction was aborted.")
	}},
	{domain.ErrCommitted, func(string) *problem.Problem {
		return problem.Conflict("transaction_committed", "The transaction was committed; there is no way back.")
	}},
	{domain.ErrOtherTransaction, func(string) *problem.Problem {
		return problem.Invalid("transaction_differs", "The transaction is about another order.")
	}},
}

// refusal is what a client is told about an error.
func refusal(err error) error {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.problem(err.Error())
		}
	}
	return err
}
