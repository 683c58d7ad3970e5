package domain

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// invoiced is a completed order that was left to an invoice.
func invoiced(t *testing.T) *Order {
	t.Helper()
	o := newDraft(t)
	must(t, o.SetPayment(Payment{Invoice, price(t, "25", "EUR")}), o.Confirm(Choreography, at))
	o.Complete(at)
	return Restore(o.Snapshot())
}

func begin(t *testing.T, o *Order, method string, want int) {
	t.Helper()
	if n, err := o.BeginPayment(method); err != nil || n != want {
		t.Fatalf("attempt %d, %v, want %d", n, err, want)
	}
}

func TestInvoiceIsPaidOnce(t *testing.T) {
	o, later := invoiced(t), at.Add(time.Hour)
	begin(t, o, "m1", 1)
	begin(t, o, "m1", 1) // said again
	if _, err := o.BeginPayment("m2"); !errors.Is(err, ErrPaying) {
		t.Errorf("another way meanwhile: %v", err)
	}
	must(t, o.Pay(1, later), o.Pay(1, later.Add(time.Hour)), o.TellPaid(1), o.TellPaid(1))
	got := o.Snapshot()
	if got.Bill != (Bill{Attempt: 1, Method: "m1", Status: Paid}) || got.Payment.Method != "m1" || !got.PaidAt.Equal(later) || got.Status != Completed {
		t.Errorf("paid %+v", got)
	}
	if diff := cmp.Diff([]Event{PaymentBegun{1}, OrderPaid{}}, o.Events()); diff != "" {
		t.Error(diff)
	}
	begin(t, o, "m1", 1)
	if _, err := o.BeginPayment("m2"); !errors.Is(err, ErrPaid) {
		t.Errorf("paid again: %v", err)
	}
	for name, err := range map[string]error{"unpay": o.Unpay(1), "give up": o.GiveUpPayment(1, Undone, "late")} {
		if !errors.Is(err, ErrAttempt) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
}

func TestPaymentThatIsUndoneLeavesTheInvoice(t *testing.T) {
	o := invoiced(t)
	before := o.Snapshot()
	begin(t, o, "m1", 1)
	must(t, o.Pay(1, at), o.Unpay(1), o.Unpay(1), o.GiveUpPayment(1, Undone, "told nobody"), o.GiveUpPayment(1, Undone, "told nobody"))
	after := o.Snapshot()
	if want := (Bill{Attempt: 1, Method: "m1", Status: Undone, Reason: "told nobody"}); after.Bill != want {
		t.Errorf("the bill is %+v", after.Bill)
	}
	if diff := cmp.Diff([]Event{PaymentBegun{1}, PaymentGivenUp{after.Bill}}, o.Events()); diff != "" {
		t.Error(diff)
	}
	after.Bill = Bill{}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	begin(t, o, "m2", 2) // it can be tried again
	for name, err := range map[string]error{
		"pay": o.Pay(1, at), "unpay": o.Unpay(1), "tell": o.TellPaid(1), "give up": o.GiveUpPayment(1, Failed, ""),
	} {
		if !errors.Is(err, ErrAttempt) {
			t.Errorf("%s of an attempt before: %v", name, err)
		}
	}
	if err := o.TellPaid(2); !errors.Is(err, ErrNotPayable) {
		t.Errorf("it was told before the customer was charged: %v", err)
	}
}

func TestOnlyACompletedOrderOnInvoiceIsPayable(t *testing.T) {
	for name, test := range map[string]struct {
		order  func() *Order
		method string
		want   error
	}{
		"a draft":              {func() *Order { return newDraft(t) }, "m1", ErrNotPayable},
		"a confirmed order":    {func() *Order { return Restore(Snapshot{Status: Confirmed, Payment: Payment{Method: Invoice}}) }, "m1", ErrNotPayable},
		"a cancelled order":    {func() *Order { return Restore(Snapshot{Status: Cancelled, Payment: Payment{Method: Invoice}}) }, "m1", ErrNotPayable},
		"one paid with a card": {func() *Order { return Restore(Snapshot{Status: Completed, Payment: Payment{Method: "m0"}}) }, "m1", ErrNotPayable},
		"by an invoice":        {func() *Order { return invoiced(t) }, Invoice, ErrMethod},
		"by nothing":           {func() *Order { return invoiced(t) }, "", ErrMethod},
	} {
		o := test.order()
		if _, err := o.BeginPayment(test.method); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if o.Snapshot().Bill != (Bill{}) {
			t.Errorf("%s: %+v", name, o.Snapshot().Bill)
		}
	}
}
