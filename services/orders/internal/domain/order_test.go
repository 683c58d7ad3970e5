package domain

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trellis-mesh/trellis/contracts/money"
)

func price(t *testing.T, amount, currency string) money.Money {
	t.Helper()
	m, err := money.New(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTotalIsExact(t *testing.T) {
	// In floating point 3 × 0.10 + 2 × 19.99 is 40.279999999999994.
	order, err := NewOrder("1", Customer{ID: "c"}, []Item{
		{ProductID: "a", Quantity: 3, UnitPrice: price(t, "0.10", "EUR")},
		{ProductID: "b", Quantity: 2, UnitPrice: price(t, "19.99", "EUR")},
	}, Terms{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if order.Total.Amount() != "40.28" || order.Total.Currency() != "EUR" || order.Status != Confirmed {
		t.Errorf("order %+v", order)
	}
}

func TestNewOrderRefuses(t *testing.T) {
	euro, dollar := price(t, "1", "EUR"), price(t, "1", "USD")
	for name, test := range map[string]struct {
		items []Item
		want  error
	}{
		"no items":       {nil, ErrEmpty},
		"no pieces":      {[]Item{{Quantity: 0, UnitPrice: euro}}, ErrQuantity},
		"two currencies": {[]Item{{Quantity: 1, UnitPrice: euro}, {Quantity: 1, UnitPrice: dollar}}, money.ErrCurrency},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewOrder("1", Customer{}, test.items, Terms{}, time.Now()); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestSettledOrderStaysAsItIs(t *testing.T) {
	first, later := time.Unix(1, 0), time.Unix(2, 0)
	for name, test := range map[string]struct {
		settle func(*Order) bool
		want   Order
	}{
		"completed": {func(o *Order) bool { return o.Complete(first) }, Order{Status: Completed, SettledAt: first}},
		"cancelled": {func(o *Order) bool { return o.Cancel("no stock", first) }, Order{Status: Cancelled, Reason: "no stock", SettledAt: first}},
	} {
		t.Run(name, func(t *testing.T) {
			order := Order{Status: Confirmed}
			if !test.settle(&order) {
				t.Error("an order that was not settled is settled already")
			}
			if order.Complete(later) || order.Cancel("too late", later) || order.Complete(later) {
				t.Error("a settled order was settled again")
			}
			if diff := cmp.Diff(test.want, order, cmpopts.EquateComparable(money.Money{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
