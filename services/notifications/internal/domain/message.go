// Package domain is what a message to a customer is and what stands in it. It knows nothing of events, databases or SMTP.
package domain

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Kind is what a message is about.
type Kind string

// The kinds of messages.
const (
	Welcome        Kind = "welcome"
	OrderCompleted Kind = "order-completed"
	OrderCancelled Kind = "order-cancelled"
	Shipped        Kind = "shipped"
)

// Kinds are all of them.
var Kinds = []Kind{Welcome, OrderCompleted, OrderCancelled, Shipped}

// Status is how far a message has come.
type Status string

// The states of a message. Sending is written down before the server is spoken to: found after a crash, it says that nobody knows
// whether the message is with the server.
const (
	Waiting Status = "waiting"
	Sending Status = "sending"
	Sent    Status = "sent"
	Failed  Status = "failed"
)

// NoAddress is the failure of a message to a customer whose address did not come.
const NoAddress = "no_address"

// Message is what a customer is told about one event.
type Message struct {
	ID         string
	CustomerID string
	Kind       Kind
	OrderID    string // "" for a welcome
	Amount     string // of the order, with its currency
	Reason     string // of a cancellation
	Status     Status
	Attempts   int
	Failure    string // why it failed, or was not sent at the last attempt
	CreatedAt  time.Time
	SentAt     time.Time // zero until it is sent
}

// Customer is somebody to write to.
type Customer struct{ ID, Name, Email string }

// space is that of the ids of messages.
var space = uuid.MustParse("7f0d9a1c-5a0e-4f3b-9f57-0c7a3d9e6b21")

// ID is the id of the message about an event: always the same for the same event, so that whoever gets the message twice can tell.
func ID(source, event string) string {
	return uuid.NewSHA1(space, []byte(source+"\n"+event)).String()
}

// Letter is what the customer reads.
func (m Message) Letter(name string) (subject, text string) {
	switch m.Kind {
	case Welcome:
		subject, text = "Welcome", "we are glad to have you with us."
	case OrderCompleted:
		subject, text = "Your order "+m.OrderID, fmt.Sprintf("your order %s of %s is complete. We send it to you.", m.OrderID, m.Amount)
	case OrderCancelled:
		subject = "Your order " + m.OrderID + " is cancelled"
		text = fmt.Sprintf("your order %s of %s is cancelled: %s. What was charged for it is given back.", m.OrderID, m.Amount, m.Reason)
	case Shipped:
		subject, text = "Your order "+m.OrderID+" is on its way", fmt.Sprintf("your order %s is on its way to you.", m.OrderID)
	}
	return subject, fmt.Sprintf("Hello %s,\n\n%s\n\nYour shop\n", name, text)
}
