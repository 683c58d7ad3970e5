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

// Status is how far an order has come. An order is settled when it is completed or cancelled, and stays so.
type Status string

// What an order can be.
const (
	Confirmed Status = "confirmed" // placed; whether there is stock, and whether it can be paid, is not known yet
	Completed Status = "completed" // its stock is there and it is paid
	Cancelled Status = "cancelled" // one of both is not so
)

// Fulfilment is how the stock, the payment and the shipment of an order come together. It stays as it was when the order was placed.
type Fulfilment string

// The ways to fulfil an order.
const (
	Choreography  Fulfilment = "choreography"  // each service does its part when an event tells of the part before
	Orchestration Fulfilment = "orchestration" // orders asks one after the other, and has undone what came before a no
	TwoPhase      Fulfilment = "two-phase"     // orders has all promise, and then decides for all
)

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

// Terms are how an order is paid, and where it is sent; without an address, where the customer is known to be.
type Terms struct {
	PaymentMethod, ShippingAddress string
}

// Order is what a customer ordered.
type Order struct {
	ID         string
	Customer   Customer
	Status     Status
	Reason     string // why it was cancelled
	Fulfilment Fulfilment
	Items      []Item
	Total      money.Money
	Terms      Terms
	CreatedAt  time.Time
	SettledAt  time.Time // zero before it is settled
}

// NewOrder takes an order, whose fulfilment is left to events. Its items are in one currency.
func NewOrder(id string, customer Customer, items []Item, terms Terms, at time.Time) (Order, error) {
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
	return Order{
		ID: id, Customer: customer, Status: Confirmed, Fulfilment: Choreography, Items: items, Total: total, Terms: terms, CreatedAt: at,
	}, nil
}

// Complete says that the order is paid and its stock is there. It reports whether that is new: of a settled order it is not, and
// who has charged or reserved for a cancelled one gives it back by the event that told of it.
func (o *Order) Complete(at time.Time) bool { return o.settle(Completed, "", at) }

// Cancel says why the order will not be fulfilled. It reports whether that is new: a settled order stays as it is.
func (o *Order) Cancel(reason string, at time.Time) bool { return o.settle(Cancelled, reason, at) }

func (o *Order) settle(status Status, reason string, at time.Time) bool {
	if o.Status != Confirmed {
		return false
	}
	o.Status, o.Reason, o.SettledAt = status, reason, at
	return true
}
