package http

import (
	"errors"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
)

// present shows a reservation as the contract has it.
func present(reservation domain.Reservation) api.Reservation {
	answer := api.Reservation{
		OrderID: reservation.OrderID, Status: api.ReservationStatus(reservation.State), Items: make([]api.Reserved, len(reservation.Lines)),
	}
	for i, line := range reservation.Lines {
		answer.Items[i] = api.Reserved(line)
	}
	return answer
}

// linesOf are what an order needs of the stock.
func linesOf(items []api.Line) ([]domain.Line, error) {
	ordered := make([]domain.Line, len(items))
	for i, item := range items {
		ordered[i] = domain.Line(item)
	}
	lines, err := domain.NewLines(ordered...)
	if err != nil { // the contract lets no such thing through
		return nil, problem.Invalid("lines_invalid", "The items cannot be reserved.").WithCause(err)
	}
	return lines, nil
}

// refusals are what a client is told when the domain says no.
var refusals = []struct {
	err     error
	problem *problem.Problem
}{
	{domain.ErrInsufficient, problem.Conflict("stock_insufficient", "There is less available than the order needs. Nothing is reserved.")},
	{domain.ErrBelowReserved, problem.Conflict("stock_reserved", "More pieces are reserved for orders than are to be on the shelf.")},
	{domain.ErrReleased, problem.Conflict("reservation_released", "What was reserved for the order is released, and stays so.")},
	{domain.ErrTaken, problem.Conflict("reservation_taken", "What was reserved for the order has left the shelf.")},
	{domain.ErrPromised, problem.Conflict("reservation_promised", "What the order needs is promised to a transaction, which decides on it.")},
	{domain.ErrReserved, problem.Conflict("reservation_exists", "The stock is reserved for the order without a transaction.")},
	{domain.ErrNotReserved, problem.Conflict("reservation_missing", "Nothing is reserved for the order.")},
	{domain.ErrDiffers, problem.Conflict("reservation_differs", "Something else is reserved for the order.")},
	{twophase.ErrNotFound, problem.Conflict("transaction_unknown", "The transaction was never prepared here.")},
	{twophase.ErrAborted, problem.Conflict("transaction_aborted", "The transaction was aborted.")},
	{twophase.ErrCommitted, problem.Conflict("transaction_committed", "The transaction was committed.")},
}

// refusal is the problem behind an error of the store or of a transaction.
func refusal(err error) error {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.problem.WithCause(err)
		}
	}
	return err
}
