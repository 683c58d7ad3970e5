// Package domain is what the shop's web pages show, and the sums over it.
package domain

import (
	"time"

	"github.com/trellis-mesh/trellis/contracts/money"
)

// Order is an order as a page shows it.
type Order struct {
	ID         string
	CustomerID string
	Status     string
	Total      money.Money
	CreatedAt  time.Time
	Items      []Item
}

// Cancelled reports whether the order came to nothing.
func (o Order) Cancelled() bool { return o.Status == "cancelled" }

// Item is a line of an order.
type Item struct {
	ProductID string
	SKU       string // empty when Degraded
	Name      string
	Quantity  int
	UnitPrice money.Money
	Subtotal  money.Money
	// Degraded says that the product could not be looked up: Name is what it was called when it was ordered.
	Degraded bool
}

// Show gives the item the name that its product has now.
func (i *Item) Show(p Product) { i.SKU, i.Name, i.Degraded = p.SKU, p.Name, false }

// Product is what the catalog says of a product.
type Product struct{ ID, SKU, Name string }

// Customer is who uses the shop.
type Customer struct {
	ID, Name, Email string
	Avatar          string // where the picture is; empty for none
}

// Payment is what was paid for an order.
type Payment struct {
	OrderID string
	Status  string
	Amount  money.Money
}
