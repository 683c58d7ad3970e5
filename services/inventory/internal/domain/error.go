package domain

import "errors"

var (
	// ErrEmpty is an order that needs nothing.
	ErrEmpty = errors.New("an order needs items")
	// ErrProduct is a line without a product.
	ErrProduct = errors.New("the product's id is missing")
	// ErrQuantity is a number of pieces that cannot be meant.
	ErrQuantity = errors.New("the quantity must be from 1 to 1000000 for each product")

	// ErrInsufficient is less available than an order needs.
	ErrInsufficient = errors.New("the stock is insufficient")
	// ErrBelowReserved is stock set to less than what is promised to orders.
	ErrBelowReserved = errors.New("more than that is reserved")

	// ErrReleased is a reservation that was released, perhaps before it came, and stays so.
	ErrReleased = errors.New("the reservation is released")
	// ErrTaken is a reservation whose stock has left the shelf.
	ErrTaken = errors.New("the reserved stock is taken")
	// ErrReserved is a reservation that was made without a transaction.
	ErrReserved = errors.New("the stock is reserved already")
	// ErrPromised is a reservation that a transaction of two phases decides on.
	ErrPromised = errors.New("the stock is promised to a transaction")
	// ErrNotReserved is an order for which nothing is reserved, or not yet.
	ErrNotReserved = errors.New("nothing is reserved")
	// ErrDiffers is a reservation said again with other lines.
	ErrDiffers = errors.New("the reservation has other lines")
)
