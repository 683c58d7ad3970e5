// Package domain is what an order is and which rules hold for it. It knows nothing of HTTP, databases or the platform.
//
// An order is an aggregate: it is changed by its methods only, each of which keeps all of its rules or changes nothing, and it
// records what happened to it as events. It goes one way:
//
//	draft → confirmed → completed
//	             └────→ cancelled
//
// A draft is the customer's own and may be changed; nobody else hears of it. From its confirmation on, others act on an order, so
// what it consists of stays as it is. A completed order that was left to an invoice may be paid later, see BeginPayment.
package domain

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trellis-mesh/trellis/contracts/money"
)

var (
	// ErrNotDraft is a change of an order that is confirmed.
	ErrNotDraft = errors.New("the order is confirmed, and stays as it is")
	// ErrEmpty is an order without items.
	ErrEmpty = errors.New("an order needs items")
	// ErrNoPayment is an order of which nobody has said how it is paid, or whose items were changed since.
	ErrNoPayment = errors.New("an order needs a payment")
	// ErrNoShipping is an order of which nobody has said where it is sent.
	ErrNoShipping = errors.New("an order needs a shipping address")
	// ErrUnknownItem is a product that the order does not have.
	ErrUnknownItem = errors.New("the order has no such item")
	// ErrTooManyItems is one product more than an order may have.
	ErrTooManyItems = fmt.Errorf("an order has at most %d products", MaxItems)
	// ErrAmount is a payment of anything but the total.
	ErrAmount = errors.New("the payment must be of the order's total")
	// ErrTotal is a total that no amount can hold.
	ErrTotal = errors.New("the order's total is too large")
)

// MaxItems is how many different products an order may have.
const MaxItems = 50

// Status is how far an order has come. An order is settled when it is completed or cancelled, and stays so.
type Status string

// What an order can be.
const (
	Drafted   Status = "draft"     // its customer is still putting it together
	Confirmed Status = "confirmed" // placed; whether there is stock, and whether it can be paid, is not known yet
	Completed Status = "completed" // its stock is there and it is paid
	Cancelled Status = "cancelled" // one of both is not so
)

// Fulfilment is how the stock, the payment and the shipment of an order come together. It stays as it was when the order was
// confirmed.
type Fulfilment string

// The ways to fulfil an order.
const (
	Choreography  Fulfilment = "choreography"  // each service does its part when an event tells of the part before
	Orchestration Fulfilment = "orchestration" // orders asks one after the other, and has undone what came before a no
	TwoPhase      Fulfilment = "two-phase"     // orders has all promise, and then decides for all
)

// Order is what a customer ordered, or is about to.
type Order struct {
	is     Snapshot
	events []Event
}

// Snapshot is what an order is at a moment. It is for reading, and for keeping the order.
type Snapshot struct {
	ID          string
	Customer    Customer
	Status      Status
	Reason      string // why it was cancelled
	Fulfilment  Fulfilment
	Items       []Item
	Total       money.Money // the zero Money without items
	Payment     Payment
	Shipping    Shipping
	Bill        Bill
	CreatedAt   time.Time
	ConfirmedAt time.Time // zero for a draft
	SettledAt   time.Time // zero before it is settled
	PaidAt      time.Time // when its invoice was paid; zero before
}

// Draft begins an order of a customer.
func Draft(id string, customer Customer, at time.Time) *Order {
	o := &Order{is: Snapshot{ID: id, Customer: customer, Status: Drafted, Fulfilment: Choreography, CreatedAt: at}}
	o.record(OrderDrafted{})
	return o
}

// Restore is an order as it was kept.
func Restore(kept Snapshot) *Order {
	kept.Items = slices.Clone(kept.Items)
	return &Order{is: kept}
}

// Snapshot is what the order is now.
func (o *Order) Snapshot() Snapshot {
	now := o.is
	now.Items = slices.Clone(now.Items)
	return now
}

// Events are what has happened to the order since it was begun or restored, in order.
func (o *Order) Events() []Event { return slices.Clone(o.events) }

func (o *Order) record(e Event) { o.events = append(o.events, e) }

// AddItem adds an item to a draft. It adds up with what there is of the same product, and all of it has the name and the price
// that the product has now. A payment that was set is cleared, since it was of another total.
func (o *Order) AddItem(item Item) error {
	if err := o.mayChange(); err != nil {
		return err
	}
	if err := item.Quantity.validate(); err != nil {
		return err
	}
	items := slices.Clone(o.is.Items)
	at := o.find(item.ProductID)
	switch {
	case at < 0 && len(items) == MaxItems:
		return ErrTooManyItems
	case at < 0:
		items = append(items, item)
	default:
		sum, err := items[at].Quantity.Plus(item.Quantity)
		if err != nil {
			return err
		}
		items[at] = item
		items[at].Quantity = sum
	}
	if err := o.have(items); err != nil {
		return err
	}
	o.record(ItemAdded{Item: item})
	o.clearPayment()
	return nil
}

// RemoveItem takes a product out of a draft, and clears its payment as AddItem does.
func (o *Order) RemoveItem(productID string) error {
	if err := o.mayChange(); err != nil {
		return err
	}
	at := o.find(productID)
	if at < 0 {
		return ErrUnknownItem
	}
	if err := o.have(slices.Delete(slices.Clone(o.is.Items), at, at+1)); err != nil {
		return err
	}
	o.record(ItemRemoved{ProductID: productID})
	o.clearPayment()
	return nil
}

// SetPayment says how a draft is paid. The amount is what the customer believes to pay, so it must be the total.
func (o *Order) SetPayment(payment Payment) error {
	if err := o.mayChange(); err != nil {
		return err
	}
	switch {
	case len(o.is.Items) == 0:
		return ErrEmpty
	case payment.Method == "":
		return ErrNoPayment
	case !payment.Amount.Equal(o.is.Total):
		return ErrAmount
	}
	if payment.Equal(o.is.Payment) {
		return nil
	}
	payment.Amount = o.is.Total // written as the total is
	o.is.Payment = payment
	o.record(PaymentSet{Payment: payment})
	return nil
}

// SetShipping says where a draft is sent.
func (o *Order) SetShipping(shipping Shipping) error {
	if err := o.mayChange(); err != nil {
		return err
	}
	if shipping.IsZero() {
		return ErrNoShipping
	}
	if shipping == o.is.Shipping {
		return nil
	}
	o.is.Shipping = shipping
	o.record(ShippingSet{Shipping: shipping})
	return nil
}

// Confirm places the order, which others fulfil from now on, in the given way. The error names all that a draft lacks. An order that
// was confirmed before stays as it is.
func (o *Order) Confirm(by Fulfilment, at time.Time) error {
	if o.is.Status != Drafted {
		return nil
	}
	if err := o.lacks(); err != nil {
		return err
	}
	o.is.Status, o.is.Fulfilment, o.is.ConfirmedAt = Confirmed, by, at
	o.record(OrderConfirmed{})
	return nil
}

// Complete says that the order is paid and its stock is there. It reports whether that is new: of a settled order it is not, and
// who has charged or reserved for a cancelled one gives it back by the event that told of it.
func (o *Order) Complete(at time.Time) bool {
	if !o.settle(Completed, "", at) {
		return false
	}
	o.record(OrderCompleted{})
	return true
}

// Cancel says why the order will not be fulfilled. It reports whether that is new: a settled order stays as it is.
func (o *Order) Cancel(reason string, at time.Time) bool {
	if !o.settle(Cancelled, reason, at) {
		return false
	}
	o.record(OrderCancelled{Reason: reason})
	return true
}

func (o *Order) settle(status Status, reason string, at time.Time) bool {
	if o.is.Status != Confirmed {
		return false
	}
	o.is.Status, o.is.Reason, o.is.SettledAt = status, reason, at
	return true
}

func (o *Order) mayChange() error {
	if o.is.Status != Drafted {
		return ErrNotDraft
	}
	return nil
}

// lacks names all that is missing for the order to be confirmed.
func (o *Order) lacks() error {
	var missing []error
	if len(o.is.Items) == 0 {
		missing = append(missing, ErrEmpty)
	}
	if o.is.Payment.IsZero() {
		missing = append(missing, ErrNoPayment)
	}
	if o.is.Shipping.IsZero() {
		missing = append(missing, ErrNoShipping)
	}
	return errors.Join(missing...)
}

func (o *Order) find(productID string) int {
	return slices.IndexFunc(o.is.Items, func(i Item) bool { return i.ProductID == productID })
}

// have gives the order other items, if they have a total.
func (o *Order) have(items []Item) error {
	var total money.Money
	for _, item := range items {
		subtotal, err := item.Subtotal()
		if err != nil {
			return fmt.Errorf("item %s: %w: %w", item.ProductID, ErrTotal, err)
		}
		switch total, err = total.Add(subtotal); {
		case errors.Is(err, money.ErrCurrency):
			return fmt.Errorf("item %s: %w", item.ProductID, err)
		case err != nil:
			return fmt.Errorf("item %s: %w: %w", item.ProductID, ErrTotal, err)
		}
	}
	o.is.Items, o.is.Total = items, total
	return nil
}

func (o *Order) clearPayment() {
	if o.is.Payment.IsZero() {
		return
	}
	o.is.Payment = Payment{}
	o.record(PaymentCleared{})
}
