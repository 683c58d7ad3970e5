package domain

import (
	"cmp"
	"fmt"
	"slices"
)

// Line is how many pieces of a product an order needs.
type Line struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
}

// mostPieces of a product can be in an order: more is a mistake, and sums of it stay far from an overflow.
const mostPieces = 1_000_000

// NewLines gives what an order needs with one line for each product, in the order of their ids, however many lines of the
// order name a product.
func NewLines(ordered ...Line) ([]Line, error) {
	if len(ordered) == 0 {
		return nil, ErrEmpty
	}
	pieces := map[string]int{}
	for i, line := range ordered {
		if line.ProductID == "" {
			return nil, fmt.Errorf("line %d: %w", i, ErrProduct)
		}
		if line.Quantity < 1 || line.Quantity > mostPieces-pieces[line.ProductID] {
			return nil, fmt.Errorf("line %d: %w", i, ErrQuantity)
		}
		pieces[line.ProductID] += line.Quantity
	}
	lines := make([]Line, 0, len(pieces))
	for product, quantity := range pieces {
		lines = append(lines, Line{ProductID: product, Quantity: quantity})
	}
	slices.SortFunc(lines, func(a, b Line) int { return cmp.Compare(a.ProductID, b.ProductID) })
	return lines, nil
}
