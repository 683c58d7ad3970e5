// Package domain is what a shipment is and which rules hold for it. It knows nothing of HTTP, databases or the platform.
//
// A shipment hears of its order from several sides, which overtake and repeat each other. What it does about each message in
// each state:
//
//	          | arrange   | withdraw  | promise   | commit    | abort     | cancel    | complete
//	absent:   | arranged  | cancelled | promised  | not yet   | absent    | cancelled | confirmed
//	promised: | refused   | refused   | refused   | arranged  | absent    | cancelled | confirmed
//	arranged: | arranged  | cancelled | refused   | arranged  | arranged  | cancelled | confirmed
//	confirmed:| confirmed | refused   | refused   | confirmed | refused   | refused   | confirmed
//	cancelled:| refused   | cancelled | refused   | refused   | cancelled | cancelled | refused
//
// Arrange and withdraw are the step of a saga and its compensation. Promise, commit and abort are the two phases of a
// transaction. Cancel is order.cancelled, complete is order.completed: both tell the end of an order, whichever way it is
// fulfilled.
//
//   - A shipment is announced when it becomes confirmed: until then the order may still be given up. That happens once.
//   - In choreography nobody arranges a shipment before its order is completed; so completed finds it absent, and arranges it.
//   - Cancelled is a tombstone. What comes after it is refused, so a message that undoes may overtake the one that it undoes.
//   - An order is completed or cancelled, never both: confirmed after cancelled, or the other way round, is somebody's fault
//     and is refused, for a person to see.
//   - The end of an order may overtake the second phase, which the coordinator may deliver late. It tells the same decision,
//     and the second phase then finds its work done.
//   - An abort drops a promise and not the order: another transaction may promise again, until the order is cancelled.
package domain

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrCancelled is a shipment that was cancelled, perhaps before it came, and stays so.
	ErrCancelled = errors.New("the shipment is cancelled")
	// ErrConfirmed is a shipment whose order is completed.
	ErrConfirmed = errors.New("the shipment is confirmed")
	// ErrArranged is a shipment that was arranged without a transaction.
	ErrArranged = errors.New("the shipment is arranged already")
	// ErrPromised is a shipment that a transaction of two phases decides on.
	ErrPromised = errors.New("the shipment is promised to a transaction")
	// ErrNotArranged is an order that has no shipment, or not yet.
	ErrNotArranged = errors.New("no shipment is arranged")
	// ErrDiffers is a shipment arranged again for another customer, with other lines or to another address.
	ErrDiffers = errors.New("another shipment is arranged for the order")
)

// State is how far the shipment of an order has come.
type State string

// The states of a shipment.
const (
	Absent    State = "absent"    // there is none, and may be one
	Promised  State = "promised"  // kept for a transaction that has voted yes
	Arranged  State = "arranged"  // it will leave, if its order is completed
	Confirmed State = "confirmed" // it leaves
	Cancelled State = "cancelled" // there is none, and never will be
)

// Message is what a shipment hears of its order.
type Message string

// The messages of a shipment.
const (
	Arrange  Message = "arrange"
	Withdraw Message = "withdraw"
	Promise  Message = "promise"
	Commit   Message = "commit"
	Abort    Message = "abort"
	Cancel   Message = "cancel"
	Complete Message = "complete"
)

// outcome is the state that follows, or why none does.
type outcome struct {
	to  State
	err error
}

var outcomes = map[State]map[Message]outcome{
	Absent: {
		Arrange: {to: Arranged}, Withdraw: {to: Cancelled},
		Promise: {to: Promised}, Commit: {err: ErrNotArranged}, Abort: {to: Absent},
		Cancel: {to: Cancelled}, Complete: {to: Confirmed},
	},
	Promised: {
		Arrange: {err: ErrPromised}, Withdraw: {err: ErrPromised},
		Promise: {err: ErrPromised}, Commit: {to: Arranged}, Abort: {to: Absent},
		Cancel: {to: Cancelled}, Complete: {to: Confirmed},
	},
	Arranged: {
		Arrange: {to: Arranged}, Withdraw: {to: Cancelled},
		Promise: {err: ErrArranged}, Commit: {to: Arranged}, Abort: {to: Arranged},
		Cancel: {to: Cancelled}, Complete: {to: Confirmed},
	},
	Confirmed: {
		Arrange: {to: Confirmed}, Withdraw: {err: ErrConfirmed},
		Promise: {err: ErrConfirmed}, Commit: {to: Confirmed}, Abort: {err: ErrConfirmed},
		Cancel: {err: ErrConfirmed}, Complete: {to: Confirmed},
	},
	Cancelled: {
		Arrange: {err: ErrCancelled}, Withdraw: {to: Cancelled},
		Promise: {err: ErrCancelled}, Commit: {err: ErrCancelled}, Abort: {to: Cancelled},
		Cancel: {to: Cancelled}, Complete: {err: ErrCancelled},
	},
}

// Line is how many pieces of a product are sent.
type Line struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
}

// Parcel is what is sent to whom.
type Parcel struct {
	CustomerID string `json:"customerId"`
	Address    string `json:"address"` // empty: not known yet
	Lines      []Line `json:"lines"`
}

// fits reports whether other may be said of the same parcel. An address that one of them leaves out is no contradiction.
func (p Parcel) fits(other Parcel) bool {
	return p.CustomerID == other.CustomerID && slices.Equal(p.Lines, other.Lines) &&
		(p.Address == "" || other.Address == "" || p.Address == other.Address)
}

// Shipment is what is sent for an order. Its ID is empty as long as none was ever arranged or promised.
type Shipment struct {
	ID, OrderID string
	State       State
	Parcel      Parcel
	CreatedAt   time.Time
}

// Visible reports whether there is, or was, a shipment to show.
func (s Shipment) Visible() bool {
	return s.State == Arranged || s.State == Confirmed || s.State == Cancelled && s.ID != ""
}

// Says is a message with what comes along: the parcel with Arrange, Promise and Complete, and for a shipment that begins with
// it, its id and time.
type Says struct {
	Message Message
	Parcel  Parcel
	ID      string
	At      time.Time
}

// After is the shipment after a message.
func (s Shipment) After(says Says) (Shipment, error) {
	next, known := outcomes[s.State][says.Message]
	switch {
	case !known:
		return s, fmt.Errorf("%s in the state %q: there is no such message or state", says.Message, s.State)
	case next.err != nil:
		return s, fmt.Errorf("%s: %w", says.Message, next.err)
	case next.to == Absent:
		return Shipment{OrderID: s.OrderID, State: Absent}, nil
	case s.State == Absent && next.to != Cancelled:
		s.ID, s.Parcel, s.CreatedAt = says.ID, says.Parcel, says.At
	case says.Message == Arrange && !s.Parcel.fits(says.Parcel):
		return s, fmt.Errorf("%s: %w", says.Message, ErrDiffers)
	case says.Message == Complete && s.Parcel.Address == "":
		s.Parcel.Address = says.Parcel.Address // a transaction does not tell it
	}
	s.State = next.to
	return s, nil
}
