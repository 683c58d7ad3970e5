// Package domain is how the old payment gateway decides about payments. It knows nothing of HTTP or databases.
package domain

import (
	"net/http"
	"time"
)

// Payment is what became of a reference. Once it is kept, only a refund changes it.
type Payment struct {
	Reference     string
	TransactionID string
	// Arrived is false for a payment that was refunded before it came: it is refused when it does.
	Arrived bool
	// Status and Message are what it was answered: 200, 400 or 500.
	Status      int
	Message     string
	Behaviour   Behaviour
	Last4       string
	AmountCents int64
	Currency    string
	CreatedAt   time.Time
	Refunded    bool
}

// Request asks for a payment, with a card or with that of an earlier payment.
type Request struct {
	Reference   string
	Card        *Card
	Original    *Payment // nil: none, or one that is not known
	AmountCents int64
	Currency    string
}

// Decide says what becomes of a request. With an amount of 0 nothing is charged: a card is then taken on file unless it
// is declined, is none or has expired, and a card on file is told to be good if a charge would succeed.
func Decide(r Request, transactionID string, at time.Time) Payment {
	p := Payment{
		Reference: r.Reference, TransactionID: transactionID, Arrived: true, AmountCents: r.AmountCents, Currency: r.Currency, CreatedAt: at,
	}
	switch {
	case r.Card != nil && r.Original != nil:
		return p.refused("either a card or an original transaction")
	case r.Card != nil:
		return p.withCard(*r.Card, at)
	case r.Original != nil && r.Original.Status == http.StatusOK:
		p.Behaviour, p.Last4 = r.Original.Behaviour, r.Original.Last4
		return p.charge()
	}
	return p.refused("the original transaction is not known")
}

func (p Payment) withCard(card Card, at time.Time) Payment {
	behaviour, ok := card.behaviour()
	switch {
	case !ok:
		return p.refused("the card number is wrong")
	case card.expired(at):
		return p.refused("the card has expired")
	}
	p.Behaviour, p.Last4 = behaviour, card.last4()
	if p.AmountCents == 0 && behaviour != Declined {
		p.Status, p.Message = http.StatusOK, "the card is on file"
		return p
	}
	return p.charge()
}

func (p Payment) charge() Payment {
	switch p.Behaviour {
	case Declined, Spent:
		return p.refused("the card was declined")
	case Fails:
		p.Status, p.Message = http.StatusInternalServerError, "the gateway failed; nothing is charged"
	default:
		p.Status, p.Message = http.StatusOK, "approved"
	}
	return p
}

func (p Payment) refused(message string) Payment {
	p.Status, p.Message = http.StatusBadRequest, message
	return p
}

// Tombstone is the refund of a reference that has not arrived.
func Tombstone(reference, transactionID string, at time.Time) Payment {
	p := Payment{Reference: reference, TransactionID: transactionID, CreatedAt: at, Refunded: true}
	return p.refused("refunded before it arrived")
}

// Charged is what the customer has paid and not got back, in cents.
func (p Payment) Charged() int64 {
	if p.Status != http.StatusOK || p.Refunded {
		return 0
	}
	return p.AmountCents
}

// AnswerLost reports whether the answer to the payment gets lost on its way.
func (p Payment) AnswerLost() bool { return p.Behaviour == Hangs && p.AmountCents > 0 }
