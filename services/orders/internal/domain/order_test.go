package domain

import (
	"errors"
	"testing"
	"time"
)

func money(t *testing.T, amount, currency string) Money {
	t.Helper()
	m, err := NewMoney(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTotalIsExact(t *testing.T) {
	// In floating point 3 × 0.10 + 2 × 19.99 is 40.279999999999994.
	order, err := NewOrder("1", Customer{ID: "c"}, []Item{
		{ProductID: "a", Quantity: 3, UnitPrice: money(t, "0.10", "EUR")},
		{ProductID: "b", Quantity: 2, UnitPrice: money(t, "19.99", "EUR")},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if order.Total.Amount() != "40.28" || order.Total.Currency() != "EUR" || order.Status != Created {
		t.Errorf("order %+v", order)
	}
}

func TestNewOrderRefuses(t *testing.T) {
	euro, dollar := money(t, "1", "EUR"), money(t, "1", "USD")
	for name, test := range map[string]struct {
		items []Item
		want  error
	}{
		"no items":       {nil, ErrEmpty},
		"no pieces":      {[]Item{{Quantity: 0, UnitPrice: euro}}, ErrQuantity},
		"two currencies": {[]Item{{Quantity: 1, UnitPrice: euro}, {Quantity: 1, UnitPrice: dollar}}, ErrCurrency},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewOrder("1", Customer{}, test.items, time.Now()); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestNewMoneyRefuses(t *testing.T) {
	for _, bad := range [][2]string{{"", "EUR"}, {"ten", "EUR"}, {"-0.01", "EUR"}, {"1", ""}, {"1", "EURO"}, {"1e999", "EUR"}} {
		if m, err := NewMoney(bad[0], bad[1]); err == nil {
			t.Errorf("%v was taken for %v", bad, m)
		}
	}
}

func TestMoneyIsComparedByValue(t *testing.T) {
	if !money(t, "1.5", "EUR").Equal(money(t, "1.50", "EUR")) {
		t.Error("1.5 is not 1.50")
	}
	if money(t, "1", "EUR").Equal(money(t, "1", "USD")) {
		t.Error("a euro is a dollar")
	}
}

func TestAnAmountThatDoesNotFitIsAnErrorAndNotRounded(t *testing.T) {
	if total, err := money(t, "99999999999999999.99", "EUR").Times(1000); err == nil {
		t.Errorf("1000 times 99999999999999999.99 is %s", total.Amount())
	}
}
