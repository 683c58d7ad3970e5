package domain

import "errors"

var (
	// ErrUnknownTransaction is a commit of what was never promised.
	ErrUnknownTransaction = errors.New("the transaction was not voted for")
	// ErrAborted is a commit after an abort or a vote of no.
	ErrAborted = errors.New("the transaction was aborted")
	// ErrCommitted is an abort after the commit: there is no way back.
	ErrCommitted = errors.New("the transaction was committed")
	// ErrOtherTransaction is a vote asked for another order than before.
	ErrOtherTransaction = errors.New("the transaction is about another order")
)

// State is how far a transaction of two phases has come here.
type State string

// The states of a transaction. Unseen is one that has only just been heard of.
const (
	Unseen    State = ""
	Prepared  State = "prepared"
	Aborted   State = "aborted"
	Committed State = "committed"
)

// Transaction is what a participant remembers of a transaction of two phases. A vote of no is an abort.
type Transaction struct {
	OrderID string
	State   State
	Reason  string // of an abort
}

// Prepare promises the payment of an order, or with a reason refuses to. The first vote stands: it gives true when this is
// it and it is yes.
func (t *Transaction) Prepare(orderID, reason string) (bool, error) {
	switch {
	case t.State == Unseen && reason == "":
		t.OrderID, t.State = orderID, Prepared
		return true, nil
	case t.State == Unseen:
		t.Refuse(reason)
		t.OrderID = orderID
	case t.OrderID != "" && t.OrderID != orderID:
		return false, ErrOtherTransaction
	}
	return false, nil
}

// Refuse makes a vote that is not given yet a no.
func (t *Transaction) Refuse(reason string) { t.State, t.Reason = Aborted, reason }

// Commit keeps the promise. It gives true the first time.
func (t *Transaction) Commit() (bool, error) {
	switch t.State {
	case Unseen:
		return false, ErrUnknownTransaction
	case Aborted:
		return false, ErrAborted
	case Committed:
		return false, nil
	case Prepared:
	}
	t.State = Committed
	return true, nil
}

// Abort drops what was promised, or will be asked for. It gives true when there is a promise to drop.
func (t *Transaction) Abort() (bool, error) {
	promised := t.State == Prepared
	switch t.State {
	case Committed:
		return false, ErrCommitted
	case Aborted:
		return false, nil
	case Unseen, Prepared:
	}
	t.Refuse("the transaction was aborted")
	return promised, nil
}
