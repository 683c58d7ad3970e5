package domain

import "fmt"

// Stock is how many pieces of a product there are. Reserved never exceeds OnHand.
type Stock struct {
	ProductID string
	OnHand    int // on the shelf
	Reserved  int // of them, promised to orders
}

// Available is what can still be reserved.
func (s Stock) Available() int { return s.OnHand - s.Reserved }

// Set is the stock after a count of the shelf.
func (s Stock) Set(onHand int) (Stock, error) {
	if onHand < s.Reserved {
		return s, fmt.Errorf("set %d pieces, %d are reserved: %w", onHand, s.Reserved, ErrBelowReserved)
	}
	s.OnHand = onHand
	return s, nil
}

// Move is the stock after a reservation of some pieces went from a state to another. Less than nothing is never available.
func (s Stock) Move(pieces int, from, to State) (Stock, error) {
	held, gone := count(to.holds())-count(from.holds()), count(to == Taken)-count(from == Taken)
	if held*pieces > s.Available() {
		return s, fmt.Errorf("%d pieces of %s, %d are available: %w", pieces, s.ProductID, s.Available(), ErrInsufficient)
	}
	s.Reserved += held * pieces
	s.OnHand -= gone * pieces
	return s, nil
}

// holds reports whether pieces are kept on the shelf for an order.
func (s State) holds() bool { return s == Promised || s == Reserved }

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
