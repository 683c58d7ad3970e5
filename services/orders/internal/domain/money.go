package domain

import (
	"fmt"

	"github.com/govalues/decimal"
)

// Money is an amount in a currency. It is a value: two of the same amount and currency are equal, however the amount was
// written. The zero Money has no currency and can be added to any other.
type Money struct {
	amount   decimal.Decimal
	currency string
}

// NewMoney reads an amount such as "12.50" in a currency by its ISO 4217 code.
func NewMoney(amount, currency string) (Money, error) {
	value, err := decimal.Parse(amount)
	if err != nil {
		return Money{}, fmt.Errorf("read the amount %q: %w", amount, err)
	}
	if value.IsNeg() {
		return Money{}, fmt.Errorf("amount %s: %w", value, ErrNegative)
	}
	if len(currency) != 3 {
		return Money{}, fmt.Errorf("currency %q: %w", currency, ErrCurrency)
	}
	return Money{amount: value, currency: currency}, nil
}

// Amount is the number as text, with the digits that it was given.
func (m Money) Amount() string { return m.amount.String() }

// Currency is the ISO 4217 code.
func (m Money) Currency() string { return m.currency }

// Equal compares by value: 1.5 EUR is 1.50 EUR.
func (m Money) Equal(other Money) bool {
	return m.currency == other.currency && m.amount.Equal(other.amount)
}

// Add is the sum of two amounts of one currency.
func (m Money) Add(other Money) (Money, error) {
	switch {
	case m.currency == "":
		return other, nil
	case other.currency == "":
		return m, nil
	case m.currency != other.currency:
		return Money{}, fmt.Errorf("add %s to %s: %w", other.currency, m.currency, ErrCurrency)
	}
	sum, err := m.amount.AddExact(other.amount, max(m.amount.Scale(), other.amount.Scale()))
	if err != nil {
		return Money{}, fmt.Errorf("add: %w", err)
	}
	return Money{amount: sum, currency: m.currency}, nil
}

// Times is the price of n pieces.
func (m Money) Times(n int) (Money, error) {
	factor, err := decimal.New(int64(n), 0)
	if err != nil {
		return Money{}, fmt.Errorf("multiply by %d: %w", n, err)
	}
	product, err := m.amount.MulExact(factor, m.amount.Scale())
	if err != nil {
		return Money{}, fmt.Errorf("multiply by %d: %w", n, err)
	}
	return Money{amount: product, currency: m.currency}, nil
}
