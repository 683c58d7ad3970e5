package http

import (
	"errors"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
)

// present shows a shipment as the contract has it: to its reader, one that is confirmed is arranged.
func present(shipment domain.Shipment) api.Shipment {
	answer := api.Shipment{
		ID: shipment.ID, OrderID: shipment.OrderID, CustomerID: shipment.Parcel.CustomerID, Status: api.Arranged,
		Items: make([]api.Line, len(shipment.Parcel.Lines)), CreatedAt: shipment.CreatedAt,
	}
	if shipment.State == domain.Cancelled {
		answer.Status = api.Cancelled
	}
	if shipment.Parcel.Address != "" {
		answer.Address = &shipment.Parcel.Address
	}
	for i, line := range shipment.Parcel.Lines {
		answer.Items[i] = api.Line{ProductID: line.ProductID, Quantity: line.Quantity}
	}
	return answer
}

// linesOf are what is sent.
func linesOf(items []api.Line) []domain.Line {
	lines := make([]domain.Line, len(items))
	for i, item := range items {
		lines[i] = domain.Line{ProductID: item.ProductID, Quantity: item.Quantity}
	}
	return lines
}

// refusals are what a client is told when the domain says no.
var refusals = []struct {
	err     error
	problem *problem.Problem
}{
	{domain.ErrCancelled, problem.Conflict("shipment_cancelled", "The shipment of the order is cancelled, and stays so.")},
	{domain.ErrConfirmed, problem.Conflict("shipment_confirmed", "The order is completed, and its shipment leaves.")},
	{domain.ErrPromised, problem.Conflict("shipment_promised", "The shipment is promised to a transaction, which decides on it.")},
	{domain.ErrArranged, problem.Conflict("shipment_exists", "The shipment of the order is arranged without a transaction.")},
	{domain.ErrNotArranged, problem.Conflict("shipment_missing", "No shipment is arranged for the order.")},
	{domain.ErrDiffers, problem.Conflict("shipment_differs", "Another shipment is arranged for the order.")},
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
