package domain

import (
	"errors"
	"fmt"
	"strings"

	"github.com/trellis-mesh/trellis/contracts/money"
)

var (
	// ErrQuantity is a quantity that no item can have.
	ErrQuantity = fmt.Errorf("the quantity must be from 1 to %d", MaxQuantity)
	// ErrAddress is an address that is none.
	ErrAddress = errors.New("an address must not be empty")
)

// The values that an order consists of are compared by what they are: two of the same content are the same.

// Customer is who ordered, under the name of that time.
type Customer struct {
	ID, Name string
}

// Quantity is a number of pieces.
type Quantity int

// MaxQuantity is how many pieces of a product an order may have.
const MaxQuantity = 1000

// NewQuantity takes a number of pieces, or gives ErrQuantity.
func NewQuantity(pieces int) (Quantity, error) {
	q := Quantity(pieces)
	return q, q.validate()
}

// Plus is the sum, or ErrQuantity.
func (q Quantity) Plus(other Quantity) (Quantity, error) { return NewQuantity(int(q) + int(other)) }

func (q Quantity) validate() error {
	if q < 1 || q > MaxQuantity {
		return ErrQuantity
	}
	return nil
}

// Item is a line of an order, at the name and price of the time when it was added. A price is never negative, since no money is.
type Item struct {
	ProductID, Name string
	Quantity        Quantity
	UnitPrice       money.Money
}

// Equal compares by value: a price of 1.5 EUR is one of 1.50 EUR.
func (i Item) Equal(other Item) bool {
	return i.ProductID == other.ProductID && i.Name == other.Name && i.Quantity == other.Quantity && i.UnitPrice.Equal(other.UnitPrice)
}

// Subtotal is the price of all pieces.
func (i Item) Subtotal() (money.Money, error) { return i.UnitPrice.Times(int(i.Quantity)) }

// Invoice is the method of a customer who pays later.
const Invoice = "invoice"

// Payment is how an order is paid, and how much. Method is Invoice, or one of the customer's payment methods. The zero Payment is none.
type Payment struct {
	Method string
	Amount money.Money
}

// IsZero reports whether there is no payment.
func (p Payment) IsZero() bool { return p.Method == "" }

// Equal compares by value.
func (p Payment) Equal(other Payment) bool {
	return p.Method == other.Method && p.Amount.Equal(other.Amount)
}

// Shipping is where an order is sent: to an address, or to where the customer is known to be. The zero Shipping is nowhere.
type Shipping struct {
	Address    string
	ToCustomer bool
}

// ShipTo sends to an address, or gives ErrAddress.
func ShipTo(address string) (Shipping, error) {
	if strings.TrimSpace(address) == "" {
		return Shipping{}, ErrAddress
	}
	return Shipping{Address: address}, nil
}

// ShipToCustomer sends to where the customer is known to be.
func ShipToCustomer() Shipping { return Shipping{ToCustomer: true} }

// IsZero reports whether there is no shipping.
func (s Shipping) IsZero() bool { return s == Shipping{} }
