package domain

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/contracts/money"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func price(t *testing.T, amount, currency string) money.Money {
	t.Helper()
	m, err := money.New(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (i Item) times(n Quantity) Item {
	i.Quantity = n
	return i
}

// goods are what the tests order.
type goods struct{ tea, sugar, cola Item }

func shelf(t *testing.T) goods {
	t.Helper()
	return goods{
		tea:   Item{ProductID: "tea", Name: "Tea", Quantity: 1, UnitPrice: price(t, "12.50", "EUR")},
		sugar: Item{ProductID: "sugar", Name: "Sugar", Quantity: 1, UnitPrice: price(t, "0.10", "EUR")},
		cola:  Item{ProductID: "cola", Name: "Cola", Quantity: 1, UnitPrice: price(t, "1", "USD")},
	}
}

// must does things to an order that it takes.
func must(t *testing.T, changes ...error) {
	t.Helper()
	for i, err := range changes {
		if err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
}

// newDraft is a draft of two pieces of tea, to be paid with a card and sent to Main Street.
func newDraft(t *testing.T) *Order {
	t.Helper()
	o := Draft("1", Customer{ID: "ada", Name: "Ada"}, at)
	must(t, o.AddItem(shelf(t).tea.times(2)), o.SetPayment(Payment{"m1", price(t, "25.00", "EUR")}), o.SetShipping(Shipping{Address: "Main Street 1"}))
	return o
}

func TestTotalIsExact(t *testing.T) {
	// In floating point 3 × 0.10 + 2 × 19.99 is 40.279999999999994.
	o := Draft("1", Customer{ID: "c"}, at)
	must(t, o.AddItem(shelf(t).sugar.times(3)), o.AddItem(Item{ProductID: "b", Quantity: 2, UnitPrice: price(t, "19.99", "EUR")}))
	if got := o.Snapshot().Total; !got.Equal(price(t, "40.28", "EUR")) {
		t.Errorf("total %s", got)
	}
}

func TestSameProductAddsUpAtThePriceOfNow(t *testing.T) {
	o, tea := Draft("1", Customer{}, at), shelf(t).tea
	must(t, o.AddItem(tea.times(2)), o.AddItem(shelf(t).sugar))
	tea.UnitPrice, tea.Name = price(t, "13", "EUR"), "Green tea"
	must(t, o.AddItem(tea.times(3)))
	want := []Item{tea.times(5), shelf(t).sugar}
	if diff := cmp.Diff(want, o.Snapshot().Items); diff != "" {
		t.Error(diff)
	}
	if total := o.Snapshot().Total; !total.Equal(price(t, "65.10", "EUR")) {
		t.Errorf("total %s", total)
	}
}

// TestWhatBreaksARuleChangesNothing refuses every change that would, and finds the order as it was, with nothing recorded.
func TestWhatBreaksARuleChangesNothing(t *testing.T) {
	g := shelf(t)
	full := func(o *Order) {
		for i := len(o.is.Items); i < MaxItems; i++ {
			must(t, o.AddItem(Item{ProductID: fmt.Sprint("p", i), Quantity: 1, UnitPrice: price(t, "1", "EUR")}))
		}
	}
	for name, test := range map[string]struct {
		given  func(*Order)
		change func(*Order) error
		want   error
	}{
		"no pieces":                       {nil, func(o *Order) error { return o.AddItem(g.sugar.times(0)) }, ErrQuantity},
		"fewer than none":                 {nil, func(o *Order) error { return o.AddItem(g.sugar.times(-1)) }, ErrQuantity},
		"too many pieces":                 {nil, func(o *Order) error { return o.AddItem(g.sugar.times(1001)) }, ErrQuantity},
		"too many pieces together":        {nil, func(o *Order) error { return o.AddItem(g.tea.times(999)) }, ErrQuantity},
		"another currency":                {nil, func(o *Order) error { return o.AddItem(g.cola) }, money.ErrCurrency},
		"too many products":               {full, func(o *Order) error { return o.AddItem(g.sugar) }, ErrTooManyItems},
		"a total that does not fit":       {nil, func(o *Order) error { return o.AddItem(Item{"p", "", 1000, price(t, "9999999999999999.99", "EUR")}) }, ErrTotal},
		"an item that is not there":       {nil, func(o *Order) error { return o.RemoveItem("sugar") }, ErrUnknownItem},
		"less than the total":             {nil, func(o *Order) error { return o.SetPayment(Payment{"m2", price(t, "24.99", "EUR")}) }, ErrAmount},
		"more than the total":             {nil, func(o *Order) error { return o.SetPayment(Payment{"m2", price(t, "25.01", "EUR")}) }, ErrAmount},
		"the total in another currency":   {nil, func(o *Order) error { return o.SetPayment(Payment{"m2", price(t, "25.00", "USD")}) }, ErrAmount},
		"no method":                       {nil, func(o *Order) error { return o.SetPayment(Payment{"", price(t, "25.00", "EUR")}) }, ErrNoPayment},
		"a payment for nothing":           {func(o *Order) { must(t, o.RemoveItem("tea")) }, func(o *Order) error { return o.SetPayment(Payment{Method: "m2"}) }, ErrEmpty},
		"no address":                      {nil, func(o *Order) error { return o.SetShipping(Shipping{}) }, ErrNoShipping},
		"an invoice of what is not there": {nil, func(o *Order) error { _, err := o.BeginPayment("m1"); return err }, ErrNotPayable},
	} {
		t.Run(name, func(t *testing.T) {
			o := newDraft(t)
			if test.given != nil {
				test.given(o)
			}
			before, events := o.Snapshot(), len(o.Events())
			if err := test.change(o); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if diff := cmp.Diff(before, o.Snapshot()); diff != "" || len(o.Events()) != events {
				t.Errorf("it has changed, and %d events were recorded: %s", len(o.Events())-events, diff)
			}
		})
	}
}

func TestPaymentIsClearedWhenItemsChange(t *testing.T) {
	for name, change := range map[string]func(*Order) error{
		"added":   func(o *Order) error { return o.AddItem(shelf(t).sugar) },
		"more":    func(o *Order) error { return o.AddItem(shelf(t).tea) },
		"removed": func(o *Order) error { return o.RemoveItem("tea") },
	} {
		t.Run(name, func(t *testing.T) {
			o := newDraft(t)
			must(t, change(o))
			if p := o.Snapshot().Payment; !p.IsZero() {
				t.Errorf("the payment is still %+v", p)
			}
			if events := o.Events(); events[len(events)-1] != (PaymentCleared{}) {
				t.Errorf("recorded %v", events)
			}
			if err := o.Confirm(Choreography, at); !errors.Is(err, ErrNoPayment) {
				t.Errorf("it can be confirmed: %v", err)
			}
		})
	}
}

// TestConfirmNeedsItemsPaymentAndShipping tries every combination of what a draft may lack.
func TestConfirmNeedsItemsPaymentAndShipping(t *testing.T) {
	for lacks := range 8 {
		o := Draft("1", Customer{}, at)
		if lacks&1 == 0 {
			must(t, o.AddItem(shelf(t).tea))
		}
		if lacks&2 == 0 && lacks&1 == 0 { // there is no payment of nothing
			must(t, o.SetPayment(Payment{"m1", price(t, "12.50", "EUR")}))
		}
		if lacks&4 == 0 {
			must(t, o.SetShipping(ShipToCustomer()))
		}
		err := o.Confirm(TwoPhase, at)
		for missing, want := range map[error]bool{ErrEmpty: lacks&1 != 0, ErrNoPayment: lacks&3 != 0, ErrNoShipping: lacks&4 != 0} {
			if errors.Is(err, missing) != want {
				t.Errorf("lacking %03b: %v", lacks, err)
			}
		}
		if confirmed := o.Snapshot().Status == Confirmed; confirmed != (lacks == 0) {
			t.Errorf("lacking %03b it is %s", lacks, o.Snapshot().Status)
		}
	}
}

func TestConfirmedOrderStaysAsItWasConfirmed(t *testing.T) {
	o := newDraft(t)
	must(t, o.Confirm(Orchestration, at))
	before, events := o.Snapshot(), len(o.Events())
	if before.Status != Confirmed || before.Fulfilment != Orchestration || !before.ConfirmedAt.Equal(at) {
		t.Errorf("confirmed %+v", before)
	}
	for name, err := range map[string]error{
		"add": o.AddItem(shelf(t).sugar), "remove": o.RemoveItem("tea"), "pay": o.SetPayment(Payment{"m2", price(t, "25", "EUR")}),
		"ship": o.SetShipping(Shipping{Address: "elsewhere"}),
	} {
		if !errors.Is(err, ErrNotDraft) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, o.Confirm(TwoPhase, at.Add(time.Hour))) // said again
	if diff := cmp.Diff(before, o.Snapshot()); diff != "" || len(o.Events()) != events {
		t.Errorf("it has changed: %s", diff)
	}
}

func TestSettledOrderStaysAsItIs(t *testing.T) {
	first, later := time.Unix(1, 0), time.Unix(2, 0)
	for name, test := range map[string]struct {
		settle func(*Order) bool
		want   Snapshot
		event  Event
	}{
		"completed": {func(o *Order) bool { return o.Complete(first) }, Snapshot{Status: Completed, SettledAt: first}, OrderCompleted{}},
		"cancelled": {func(o *Order) bool { return o.Cancel("no stock", first) }, Snapshot{Status: Cancelled, Reason: "no stock", SettledAt: first}, OrderCancelled{"no stock"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Restore(Snapshot{Status: Confirmed})
			if !test.settle(o) {
				t.Error("an order that was not settled is settled already")
			}
			if o.Complete(later) || o.Cancel("too late", later) || o.Complete(later) {
				t.Error("a settled order was settled again")
			}
			if diff := cmp.Diff(test.want, o.Snapshot()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]Event{test.event}, o.Events()); diff != "" {
				t.Errorf("recorded %s", diff)
			}
		})
	}
	draft := newDraft(t)
	if draft.Complete(first) || draft.Cancel("no stock", first) {
		t.Error("a draft was settled")
	}
}

func TestWhatHappenedIsRecordedInOrder(t *testing.T) {
	g, o := shelf(t), newDraft(t)
	total, address := price(t, "25.1", "EUR"), Shipping{Address: "Main Street 1"}
	must(t, o.SetShipping(address)) // it is so already
	must(t, o.AddItem(g.sugar), o.SetPayment(Payment{Invoice, total}), o.SetPayment(Payment{Invoice, price(t, "25.10", "EUR")}))
	must(t, o.Confirm(Choreography, at))
	o.Complete(at)
	want := []Event{
		OrderDrafted{}, ItemAdded{g.tea.times(2)}, PaymentSet{Payment{"m1", price(t, "25", "EUR")}}, ShippingSet{address},
		ItemAdded{g.sugar}, PaymentCleared{}, PaymentSet{Payment{Invoice, total}}, OrderConfirmed{}, OrderCompleted{},
	}
	if diff := cmp.Diff(want, o.Events()); diff != "" {
		t.Error(diff)
	}
	if again := Restore(o.Snapshot()); len(again.Events()) != 0 {
		t.Errorf("what was kept has happened again: %v", again.Events())
	}
}

func TestSnapshotIsNotTheOrder(t *testing.T) {
	o := newDraft(t)
	taken := o.Snapshot()
	taken.Items[0].Quantity, taken.Status = 7, Completed
	if now := o.Snapshot(); now.Items[0].Quantity != 2 || now.Status != Drafted {
		t.Errorf("the order was changed from outside: %+v", now)
	}
	o = Restore(taken)
	taken.Items[0].Quantity = 8
	if o.Snapshot().Items[0].Quantity != 7 {
		t.Error("the order was changed by what it was restored from")
	}
}

func TestValuesAreComparedByValue(t *testing.T) {
	a, b := shelf(t).tea, shelf(t).tea
	b.UnitPrice = price(t, "12.5", "EUR")
	if !a.Equal(b) || a.Equal(a.times(2)) || a.Equal(shelf(t).sugar) {
		t.Error("items are not compared by value")
	}
	if p := (Payment{"m1", a.UnitPrice}); !p.Equal(Payment{"m1", b.UnitPrice}) || p.Equal(Payment{"m2", a.UnitPrice}) {
		t.Error("payments are not compared by value")
	}
	if _, err := ShipTo(" \t"); !errors.Is(err, ErrAddress) {
		t.Errorf("an empty address: %v", err)
	}
	if to, err := ShipTo("Main Street 1"); err != nil || to != (Shipping{Address: "Main Street 1"}) {
		t.Errorf("an address: %+v, %v", to, err)
	}
	for _, pieces := range []int{-1, 0, 1001} {
		if _, err := NewQuantity(pieces); !errors.Is(err, ErrQuantity) {
			t.Errorf("%d pieces: %v", pieces, err)
		}
	}
}

// TestDraftKeepsItsRulesWhateverIsDoneToIt changes drafts at random, and compares them after each change with a plain model.
func TestDraftKeepsItsRulesWhateverIsDoneToIt(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, seed))
	for range 200 {
		o, model, cents := Draft("1", Customer{}, at), map[string]int{}, map[string]int{}
		paid := false
		for range 60 {
			product := fmt.Sprint("p", random.IntN(4))
			switch random.IntN(4) {
			case 0, 1:
				n, c := random.IntN(600)-10, 1+random.IntN(500)
				err := o.AddItem(Item{ProductID: product, Quantity: Quantity(n), UnitPrice: price(t, fmt.Sprintf("%d.%02d", c/100, c%100), "EUR")})
				if fits := n > 0 && n <= MaxQuantity && model[product]+n <= MaxQuantity; fits != (err == nil) {
					t.Fatalf("%d pieces to %d: %v", n, model[product], err)
				} else if fits {
					model[product], cents[product], paid = model[product]+n, c, false
				}
			case 2:
				if err := o.RemoveItem(product); (err == nil) != (model[product] > 0) {
					t.Fatalf("remove one of %d: %v", model[product], err)
				} else if err == nil {
					delete(model, product)
					paid = false
				}
			case 3:
				if o.SetPayment(Payment{"m", o.Snapshot().Total}) == nil {
					paid = true
				}
			}
			total := 0
			for product, n := range model {
				total += n * cents[product]
			}
			now := o.Snapshot()
			if len(now.Items) != len(model) || now.Payment.IsZero() == paid {
				t.Fatalf("%d items and the payment %+v, want %d and %t", len(now.Items), now.Payment, len(model), paid)
			}
			if got, err := now.Total.Minor(); len(model) > 0 && (err != nil || got != int64(total)) {
				t.Fatalf("total %s, %v, want %d cents", now.Total, err, total)
			}
		}
	}
}
