// Package domain is what an order is and which rules hold for it. It knows nothing of HTTP, databases or the platform.
package domain

import (
	"errors"
	"fmt"
	"time"

	"github.com/trellis-mesh/trellis/contracts/money"
)

var (
	// ErrEmpty is an order without items.
	ErrEmpty = errors.New("an order needs items")
	// ErrQuantity is a quantity below one.
	ErrQuantity = errors.New("the quantity must be at least 1")
)

// Status is how far an order has come.
type Status string

// Created is an order that was taken and nothing more.
const Created Status = "created"

// Customer is who ordered, under the name of that time.
type Customer struct {
	ID, Name string
}

// Item is a line of an order, at the name and price of that time.
type Item struct {
	ProductID, Name string
	Quantity        int
	UnitPrice       money.Money
}

// Subtotal is the price of all pieces.
func (i Item) Subtotal() (money.Money, error) { return i.UnitPrice.Times(i.Quantity) }

// Order is what a customer ordered.
type Order struct {
	ID        string
	Customer  Customer
	Status    Status
	Items     []Item
	Total     money.Money
	CreatedAt time.Time
}

// NewOrder takes an order. Its items are in one currency.
func NewOrder(id string, customer Customer, items []Item, at time.Time) (Order, error) {
	if len(items) == 0 {
		return Order{}, ErrEmpty
	}
	var total money.Money
	for n, item := range items {
		if item.Quantity < 1 {
			return Order{}, fmt.Errorf("item %d: %w", n, ErrQuantity)
		}
		subtotal, err := item.Subtotal()
		if err != nil {
			return Order{}, fmt.Errorf("item %d: %w", n, err)
		}
		if total, err = total.Add(subtotal); err != nil {
			return Order{}, fmt.Errorf("item %d: %w", n, err)
		}
	}
	return Order{ID: id, Customer: customer, Status: Created, Items: items, Total: total, CreatedAt: at}, nil
}
