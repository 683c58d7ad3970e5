// Package domain is what a payment is and which rules hold for it. It knows nothing of HTTP, databases or the gateway's terms.
//
// A payment goes one way:
//
//	promised → pending → succeeded → refunding → refunded
//	              ├────→ failed         ↑
//	              └─────────────────────┘
//
// Pending is open until the gateway has told what became of the charge. A refund that is wanted meanwhile does not wait for
// that: the gateway keeps a charge out that comes after its refund.
package domain

import (
	"errors"
	"fmt"
	"time"

	"github.com/trellis-mesh/trellis/contracts/money"
)

var (
	// ErrOther is another charge for an order that has one.
	ErrOther = errors.New("the order is charged otherwise already")
	// ErrRefunded is a charge after its refund.
	ErrRefunded = errors.New("the payment of the order was refunded")
	// ErrPromised is a payment that belongs to a transaction which is still undecided.
	ErrPromised = errors.New("the payment is promised to a transaction")
)

// Status is how far a payment has come.
type Status string

// The states of a payment.
const (
	Promised  Status = "promised" // to a transaction of two phases
	Pending   Status = "pending"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Refunding Status = "refunding"
	Refunded  Status = "refunded"
)

// Invoice is the method of a customer who pays later: nothing is charged.
const Invoice = "invoice"

// Order is what is to be paid: by whom, how much, and how. Method is Invoice or a payment method's id.
type Order struct {
	ID, CustomerID, Method string
	Amount                 money.Money
}

// Payment is what an order is charged. Its zero CreatedAt never occurs; a tombstone has no ID.
type Payment struct {
	ID string
	Order
	// Card is the gateway's name for the card on file.
	Card   string
	Status Status
	// Reference is the gateway's name for the charge under way: no two charges share one, and one is charged at most once.
	Reference string
	// Tries counts the references that the gateway refused.
	Tries int
	// Bound says that a transaction of two phases was promised the charge: it is asked for until it succeeds.
	Bound bool
	// Announced says that others wait for an event that tells the outcome.
	Announced bool
	// Unanswered says that the gateway was asked, and its answer did not come.
	Unanswered    bool
	TransactionID string
	Reason        string
	CreatedAt     time.Time
}

// New is the intent to charge an order with a card on file. What costs nothing, or is paid by invoice, has succeeded.
func New(id string, order Order, card string, at time.Time) Payment {
	p := Payment{ID: id, Order: order, Card: card, Status: Pending, Reference: id, CreatedAt: at}
	if p.Offline() {
		p.Status = Succeeded
	}
	return p
}

// Promise is a charge that a transaction of two phases may ask for.
func Promise(id string, order Order, card string, at time.Time) Payment {
	p := New(id, order, card, at)
	p.Status, p.Bound = Promised, true
	return p
}

// Refuse is a payment that failed before the gateway was asked.
func Refuse(id string, order Order, reason string, at time.Time) Payment {
	p := New(id, order, "", at)
	p.Status, p.Reason = Failed, reason
	return p
}

// Tombstone is the refund of an order that was not charged; a charge that comes after it is refused.
func Tombstone(orderID string, at time.Time) Payment {
	return Payment{Order: Order{ID: orderID}, Status: Refunded, CreatedAt: at}
}

// Offline reports whether the gateway has nothing to do with the payment.
func (p Payment) Offline() bool { return p.Method == Invoice || p.Amount.IsZero() }

// IsTombstone reports whether there was never anything to pay.
func (p Payment) IsTombstone() bool { return p.ID == "" }

// Open reports whether the gateway has something to tell yet.
func (p Payment) Open() bool { return p.Status == Pending || p.Status == Refunding }

// GivenBack reports whether the customer had something to get back and has got it.
func (p Payment) GivenBack() bool {
	return p.Status == Refunded && !p.IsTombstone() && (p.TransactionID != "" || p.Offline())
}

// Again says whether a repeated wish to charge order is this very payment: nil, ErrOther or ErrRefunded.
func (p Payment) Again(order Order) error {
	switch {
	case p.Status == Refunded, p.Status == Refunding:
		return ErrRefunded
	case p.CustomerID != order.CustomerID, p.Method != order.Method, !p.Amount.Equal(order.Amount):
		return ErrOther
	case p.Status == Promised:
		return ErrPromised
	}
	return nil
}

// Commit keeps a promise. What is committed already stays as it is.
func (p *Payment) Commit() {
	if p.Status != Promised {
		return
	}
	p.Status = Pending
	if p.Offline() {
		p.Status = Succeeded
	}
}

// Settle takes what the gateway told of the charge with a reference. What comes late, for a payment that has moved on or for
// a reference that was given up, changes nothing. A charge that was promised is tried again under a new reference when it
// is refused, which can happen only once the gateway has told that nothing was charged under the old one.
func (p *Payment) Settle(reference string, o Outcome) {
	if p.Status != Pending || reference != p.Reference {
		return
	}
	p.Unanswered = o.Result == Unknown
	switch o.Result {
	case Success:
		p.Status, p.TransactionID, p.Reason = Succeeded, o.TransactionID, ""
	case Refused, Error:
		p.Reason = o.Reason
		if !p.Bound {
			p.Status = Failed
			return
		}
		p.Tries++
		p.Reference = fmt.Sprintf("%s.%d", p.ID, p.Tries)
	case Unknown, Absent: // it is asked again
	}
}

// Refund wants the payment back. It may be called in every state, and again.
func (p *Payment) Refund() error {
	switch {
	case p.Status == Promised:
		return ErrPromised
	case p.Status == Succeeded && p.Offline():
		p.Status = Refunded
	case p.Status == Succeeded, p.Status == Pending:
		p.Status, p.Unanswered = Refunding, false
	}
	return nil
}

// GiveBack takes what the gateway told of the refund: Success when it had charged and has given back, Refused when nothing is
// or ever will be charged. Anything else leaves the refund wanted.
func (p *Payment) GiveBack(o Outcome) {
	if p.Status != Refunding {
		return
	}
	p.Unanswered = o.Result != Success && o.Result != Refused
	switch o.Result {
	case Success:
		p.Status, p.TransactionID = Refunded, o.TransactionID
	case Refused:
		p.Status, p.TransactionID = Refunded, ""
	case Error, Unknown, Absent: // it is asked again
	}
}
