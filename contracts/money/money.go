// Package money is the value type for amounts that the shop's services share, as contracts have it: a decimal number in a
// string and a currency. It calculates exactly or not at all; nothing is ever rounded, and nothing is a float.
//
//	price, err := money.New("19.99", "EUR")
//	total, err := price.Times(3) // 59.97 EUR
//	cents, err := total.Minor()  // 5997
package money

import (
	"errors"
	"fmt"
	"strings"

	"github.com/govalues/decimal"
)

var (
	// ErrAmount is a text that is no amount.
	ErrAmount = errors.New("an amount is digits with at most one point between them, 19 digits at most")
	// ErrNegative is an amount below zero.
	ErrNegative = errors.New("must not be negative")
	// ErrCurrency is a currency that is none, or not that of the other amounts.
	ErrCurrency = errors.New("currencies do not fit together")
	// ErrDigits is an amount with more digits after the point than its currency has.
	ErrDigits = errors.New("more digits than the currency has")
	// ErrTooLarge is an amount that does not fit where it is to go.
	ErrTooLarge = errors.New("too large")
)

// Money is an amount in a currency. It is a value: two of the same amount and currency are equal, however the amount was
// written. The zero Money has no currency and can be added to any other.
type Money struct {
	amount   decimal.Decimal
	currency string
}

// New reads an amount such as "12.50" in a currency by its ISO 4217 code, three capital letters.
func New(amount, currency string) (Money, error) {
	if strings.HasPrefix(amount, "-") {
		return Money{}, fmt.Errorf("amount %s: %w", amount, ErrNegative)
	}
	if !plain(amount) { // the decimal's own parser also takes exponents, and rounds what is too long
		return Money{}, fmt.Errorf("amount %q: %w", amount, ErrAmount)
	}
	value, err := decimal.Parse(amount)
	if err != nil {
		return Money{}, fmt.Errorf("amount %q: %w", amount, err)
	}
	if len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return Money{}, fmt.Errorf("currency %q: %w", currency, ErrCurrency)
	}
	return Money{amount: value, currency: currency}, nil
}

func plain(amount string) bool {
	whole, fraction, pointed := strings.Cut(amount, ".")
	digits := whole + fraction
	return whole != "" && (fraction != "" || !pointed) && len(digits) <= decimal.MaxPrec && strings.Trim(digits, "0123456789") == ""
}

// Amount is the number as text, with the digits that it was given.
func (m Money) Amount() string { return m.amount.String() }

// Currency is the ISO 4217 code.
func (m Money) Currency() string { return m.currency }

// String is the money as a text for people.
func (m Money) String() string { return m.Amount() + " " + m.currency }

// IsZero reports whether it is no money at all.
func (m Money) IsZero() bool { return m.amount.IsZero() }

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

// Sub is what is left of an amount when another one of the same currency is taken away: ErrNegative when that is more.
func (m Money) Sub(other Money) (Money, error) {
	if m.currency != other.currency {
		return Money{}, fmt.Errorf("subtract %s from %s: %w", other.currency, m.currency, ErrCurrency)
	}
	left, err := m.amount.SubExact(other.amount, max(m.amount.Scale(), other.amount.Scale()))
	switch {
	case err != nil:
		return Money{}, fmt.Errorf("subtract: %w", err)
	case left.IsNeg():
		return Money{}, fmt.Errorf("subtract %s from %s: %w", other, m, ErrNegative)
	}
	return Money{amount: left, currency: m.currency}, nil
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

// Minor is the amount in the smallest unit of its currency: 12.5 EUR is 1250 cents, 12 JPY is 12 yen, 1.5 BHD is 1500 fils.
// It gives ErrDigits rather than to round, and ErrTooLarge for what an int64 cannot hold.
func (m Money) Minor() (int64, error) {
	digits := Digits(m.currency)
	value := m.amount.Trim(digits)
	if value.Scale() > digits {
		return 0, fmt.Errorf("%s: %w, which is %d", m, ErrDigits, digits)
	}
	value = value.Pad(digits) // by the decimal's digits, not by a multiplication of floats
	units := value.Coef()
	if value.Scale() != digits || units > 1<<63-1 {
		return 0, fmt.Errorf("%s: %w", m, ErrTooLarge)
	}
	return int64(units), nil
}
