package domain

// Event is something that has happened to an order, as it records it. What others are told of is decided elsewhere: they get the
// events of their contracts, made of these.
type Event interface{ happened() }

// OrderDrafted is the beginning of an order.
type OrderDrafted struct{}

// ItemAdded is what was added, not what there is by now.
type ItemAdded struct{ Item Item }

// ItemRemoved is a product that is no longer ordered.
type ItemRemoved struct{ ProductID string }

// PaymentSet is how the order is to be paid.
type PaymentSet struct{ Payment Payment }

// PaymentCleared is a payment that no longer fits the items.
type PaymentCleared struct{}

// ShippingSet is where the order is to be sent.
type ShippingSet struct{ Shipping Shipping }

// OrderConfirmed is an order that was placed.
type OrderConfirmed struct{}

// OrderCompleted is an order that is paid, or left to an invoice, and whose stock is there.
type OrderCompleted struct{}

// OrderCancelled is an order that will not be fulfilled.
type OrderCancelled struct{ Reason string }

// PaymentBegun is an attempt to pay the order's invoice.
type PaymentBegun struct{ Attempt int }

// OrderPaid is the end of an attempt that succeeded.
type OrderPaid struct{}

// PaymentGivenUp is the end of one that did not.
type PaymentGivenUp struct{ Bill Bill }

func (OrderDrafted) happened()   {}
func (ItemAdded) happened()      {}
func (ItemRemoved) happened()    {}
func (PaymentSet) happened()     {}
func (PaymentCleared) happened() {}
func (ShippingSet) happened()    {}
func (OrderConfirmed) happened() {}
func (OrderCompleted) happened() {}
func (OrderCancelled) happened() {}
func (PaymentBegun) happened()   {}
func (OrderPaid) happened()      {}
func (PaymentGivenUp) happened() {}
