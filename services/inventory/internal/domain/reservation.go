// Package domain is what stock and its reservations are and which rules hold for them. It knows nothing of HTTP, databases or
// the platform.
//
// A reservation hears of its order from several sides, which overtake and repeat each other. What it does about each message
// in each state:
//
//	          | reserve   | release   | promise   | commit    | abort     | cancel    | complete
//	absent:   | reserved  | released  | promised  | not yet   | absent    | released  | not yet
//	promised: | refused   | refused   | refused   | taken     | absent    | released  | taken
//	reserved: | reserved  | released  | refused   | refused   | reserved  | released  | taken
//	taken:    | taken     | refused   | refused   | taken     | refused   | refused   | taken
//	released: | refused   | released  | refused   | refused   | released  | released  | refused
//
// Reserve is order.created of an order in choreography, and the operation of a saga; release undoes it. Promise, commit and
// abort are the two phases of a transaction. Cancel is payment.failed or order.cancelled, complete is order.completed: both
// tell the end of an order, whichever way it is fulfilled.
//
//   - Released is a tombstone. What comes after it is refused, so a message that undoes may overtake the one that it undoes.
//   - An order is completed or cancelled, never both: taken after cancelled, or the other way round, is somebody's fault and is
//     refused, for a person to see.
//   - Completed before it is reserved cannot be: in choreography and in a saga the reservation is committed before the order
//     can be paid, and a transaction is decided on after the promise. If it comes nevertheless, it is to be tried again.
//   - The end of an order may overtake the second phase, which the coordinator may deliver late. It tells the same decision:
//     a promise is taken or released by it, and the second phase then finds its work done.
//   - An abort drops a promise and not the order: another transaction may promise again, until the order is cancelled.
package domain

import (
	"fmt"
	"slices"
)

// State is how far the reservation of an order has come.
type State string

// The states of a reservation.
const (
	Absent   State = "absent"   // nothing is reserved, and may be
	Promised State = "promised" // held for a transaction that has voted yes
	Reserved State = "reserved" // held
	Taken    State = "taken"    // gone from the shelf
	Released State = "released" // nothing is reserved, and never will be
)

// Message is what a reservation hears of its order.
type Message string

// The messages of a reservation.
const (
	Reserve  Message = "reserve"
	Release  Message = "release"
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
		Reserve: {to: Reserved}, Release: {to: Released},
		Promise: {to: Promised}, Commit: {err: ErrNotReserved}, Abort: {to: Absent},
		Cancel: {to: Released}, Complete: {err: ErrNotReserved},
	},
	Promised: {
		Reserve: {err: ErrPromised}, Release: {err: ErrPromised},
		Promise: {err: ErrPromised}, Commit: {to: Taken}, Abort: {to: Absent},
		Cancel: {to: Released}, Complete: {to: Taken},
	},
	Reserved: {
		Reserve: {to: Reserved}, Release: {to: Released},
		Promise: {err: ErrReserved}, Commit: {err: ErrReserved}, Abort: {to: Reserved},
		Cancel: {to: Released}, Complete: {to: Taken},
	},
	Taken: {
		Reserve: {to: Taken}, Release: {err: ErrTaken},
		Promise: {err: ErrTaken}, Commit: {to: Taken}, Abort: {err: ErrTaken},
		Cancel: {err: ErrTaken}, Complete: {to: Taken},
	},
	Released: {
		Reserve: {err: ErrReleased}, Release: {to: Released},
		Promise: {err: ErrReleased}, Commit: {err: ErrReleased}, Abort: {to: Released},
		Cancel: {to: Released}, Complete: {err: ErrReleased},
	},
}

// Reservation is what of the stock is meant for an order. Lines has one line for each product, by their ids.
type Reservation struct {
	OrderID string
	State   State
	Lines   []Line
}

// After is the reservation after a message. Lines, from NewLines, are what Reserve and Promise ask for; others have none.
func (r Reservation) After(m Message, lines []Line) (Reservation, error) {
	next, known := outcomes[r.State][m]
	switch {
	case !known:
		return r, fmt.Errorf("%s in the state %q: there is no such message or state", m, r.State)
	case next.err != nil:
		return r, fmt.Errorf("%s: %w", m, next.err)
	case m == Reserve && r.State != Absent && !slices.Equal(r.Lines, lines):
		return r, fmt.Errorf("%s: %w", m, ErrDiffers)
	case r.State == Absent && (m == Reserve || m == Promise):
		r.Lines = lines
	}
	r.State = next.to
	return r, nil
}
