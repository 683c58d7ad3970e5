package domain

import (
	"errors"
	"testing"
	"time"

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
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if order.Total.Amount() != "40.28" || order.Total.Currency() != "EUR" || order.Status != Created {
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
			if _, err := NewOrder("1", Customer{}, test.items, time.Now()); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}
