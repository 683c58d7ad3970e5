package domain

import (
	"errors"
	"time"
)

var (
	// ErrNotPayable is an order that there is no invoice of: only a completed one that was left to an invoice has one.
	ErrNotPayable = errors.New("there is no invoice to pay")
	// ErrPaid is an invoice that is paid already.
	ErrPaid = errors.New("the invoice is paid")
	// ErrPaying is an invoice that is being paid in another way.
	ErrPaying = errors.New("the invoice is being paid in another way")
	// ErrMethod is an invoice that would be paid by an invoice.
	ErrMethod = errors.New("an invoice is not paid by an invoice")
	// ErrAttempt is a step of an attempt to pay that is over.
	ErrAttempt = errors.New("the attempt to pay is over")
)

// BillStatus is how far the payment of an invoice has come.
type BillStatus string

// What the payment of an invoice can be. One that is failed or undone may be tried again.
const (
	Unpaid BillStatus = ""       // nobody has tried
	Paying BillStatus = "paying" // an attempt is under way
	Paid   BillStatus = "paid"
	Failed BillStatus = "failed" // the customer was not charged
	Undone BillStatus = "undone" // the customer was charged, or may have been; the money is given back
)

// Bill is the latest attempt to pay the invoice of an order.
type Bill struct {
	Attempt int    // counted from 1
	Method  string // one of the customer's payment methods
	Status  BillStatus
	Reason  string // why it failed or was undone
}

// BeginPayment begins to pay the invoice of a completed order and gives the number of the attempt. Said again, while that is under
// way or after it has succeeded, it gives the same.
//
// An attempt takes three steps: the customer is charged, by others; Pay; and TellPaid, with which it ends. If one cannot be done,
// those before are undone, and it ends with GiveUpPayment.
func (o *Order) BeginPayment(method string) (attempt int, err error) {
	bill := o.is.Bill
	switch {
	case (bill.Status == Paying || bill.Status == Paid) && bill.Method == method:
		return bill.Attempt, nil
	case bill.Status == Paying:
		return 0, ErrPaying
	case bill.Status == Paid:
		return 0, ErrPaid
	case method == Invoice || method == "":
		return 0, ErrMethod
	case o.is.Status != Completed || o.is.Payment.Method != Invoice:
		return 0, ErrNotPayable
	}
	o.is.Bill = Bill{Attempt: bill.Attempt + 1, Method: method, Status: Paying}
	o.record(PaymentBegun{Attempt: o.is.Bill.Attempt})
	return o.is.Bill.Attempt, nil
}

// Pay says that the customer was charged. The payment of the order is from now on the one with which it was paid. Said again, it
// changes nothing.
func (o *Order) Pay(attempt int, at time.Time) error {
	if err := o.paying(attempt); err != nil {
		return err
	}
	if o.is.PaidAt.IsZero() {
		o.is.Payment.Method, o.is.PaidAt = o.is.Bill.Method, at
	}
	return nil
}

// Unpay takes Pay back, if it was said.
func (o *Order) Unpay(attempt int) error {
	if err := o.paying(attempt); err != nil {
		return err
	}
	o.is.Payment.Method, o.is.PaidAt = Invoice, time.Time{}
	return nil
}

// TellPaid ends an attempt: the order is paid for good, and others are to know. Said again, it changes nothing.
func (o *Order) TellPaid(attempt int) error {
	if o.is.Bill.Attempt == attempt && o.is.Bill.Status == Paid {
		return nil
	}
	if err := o.paying(attempt); err != nil {
		return err
	}
	if o.is.PaidAt.IsZero() {
		return ErrNotPayable
	}
	o.is.Bill.Status = Paid
	o.record(OrderPaid{})
	return nil
}

// GiveUpPayment ends an attempt: Failed when the customer was not charged, and Undone when they have it back. Said again, it changes
// nothing.
func (o *Order) GiveUpPayment(attempt int, as BillStatus, reason string) error {
	if o.is.Bill.Attempt == attempt && o.is.Bill.Status == as {
		return nil
	}
	if err := o.paying(attempt); err != nil {
		return err
	}
	o.is.Bill.Status, o.is.Bill.Reason = as, reason
	o.record(PaymentGivenUp{Bill: o.is.Bill})
	return nil
}

func (o *Order) paying(attempt int) error {
	if o.is.Bill.Attempt != attempt || o.is.Bill.Status != Paying {
		return ErrAttempt
	}
	return nil
}
