package money

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func money(t testing.TB, amount, currency string) Money {
	t.Helper()
	m, err := New(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNewRefuses(t *testing.T) {
	for _, bad := range []struct {
		amount, currency string
		want             error
	}{
		{"", "EUR", ErrAmount},
		{"ten", "EUR", ErrAmount},
		{"-0.01", "EUR", ErrNegative},
		{"1e3", "EUR", ErrAmount},
		{"+1", "EUR", ErrAmount},
		{" 1", "EUR", ErrAmount},
		{"1.", "EUR", ErrAmount},
		{".5", "EUR", ErrAmount},
		{"1.2.3", "EUR", ErrAmount},
		{"0.12345678901234567891", "EUR", ErrAmount}, // would be rounded
		{"1", "", ErrCurrency},
		{"1", "EURO", ErrCurrency},
		{"1", "eur", ErrCurrency},
		{"1", "E R", ErrCurrency},
	} {
		if m, err := New(bad.amount, bad.currency); !errors.Is(err, bad.want) {
			t.Errorf("%q %q was taken for %v with error %v, want %v", bad.amount, bad.currency, m, err, bad.want)
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

func TestSumsAreExact(t *testing.T) {
	// In floating point 3 × 0.10 + 2 × 19.99 is 40.279999999999994.
	var total Money
	for _, line := range []struct {
		price string
		n     int
	}{{"0.10", 3}, {"19.99", 2}} {
		subtotal, err := money(t, line.price, "EUR").Times(line.n)
		if err != nil {
			t.Fatal(err)
		}
		if total, err = total.Add(subtotal); err != nil {
			t.Fatal(err)
		}
	}
	if total.String() != "40.28 EUR" {
		t.Errorf("total %v", total)
	}
	if _, err := total.Add(money(t, "1", "USD")); !errors.Is(err, ErrCurrency) {
		t.Errorf("euros and dollars were added: %v", err)
	}
}

func TestWhatDoesNotFitIsAnErrorAndNotRounded(t *testing.T) {
	large := money(t, "99999999999999999.99", "EUR")
	if total, err := large.Times(1000); err == nil {
		t.Errorf("1000 times %v is %v", large, total)
	}
	if total, err := large.Add(large); err == nil && total.Amount() != "199999999999999999.98" {
		t.Errorf("twice %v is %v", large, total)
	}
}

func TestMinor(t *testing.T) {
	for _, test := range []struct {
		amount, currency string
		want             int64
		err              error
	}{
		{"12.50", "EUR", 1250, nil},
		{"12.5", "EUR", 1250, nil},
		{"12", "EUR", 1200, nil},
		{"0", "EUR", 0, nil},
		{"0.01", "EUR", 1, nil},
		{"19.99", "EUR", 1999, nil}, // in floating point 1998.9999999999998
		{"4.35", "USD", 435, nil},   // 434.99999999999994
		{"1.15", "USD", 115, nil},   // 114.99999999999999
		{"1.500", "EUR", 150, nil},
		{"12", "JPY", 12, nil},
		{"12.0", "JPY", 12, nil},
		{"1.5", "BHD", 1500, nil},
		{"1.234", "BHD", 1234, nil},
		{"1.2345", "CLF", 12345, nil},
		{"92233720368547758.07", "EUR", math.MaxInt64, nil},
		{"1.005", "EUR", 0, ErrDigits},
		{"0.5", "JPY", 0, ErrDigits},
		{"1.2345", "BHD", 0, ErrDigits},
		{"92233720368547758.08", "EUR", 0, ErrTooLarge},
		{"9999999999999999999", "EUR", 0, ErrTooLarge},
	} {
		got, err := money(t, test.amount, test.currency).Minor()
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s %s is %d with error %v, want %d and %v", test.amount, test.currency, got, err, test.want, test.err)
		}
	}
}

// FuzzMinor compares with shifting the point in the text, which needs no arithmetic at all.
func FuzzMinor(f *testing.F) {
	for _, seed := range []string{"0", "12.50", "19.99", "1.005", "92233720368547758.07", "0.0000001"} {
		f.Add(seed, "EUR")
		f.Add(seed, "JPY")
		f.Add(seed, "BHD")
	}
	f.Fuzz(func(t *testing.T, amount, currency string) {
		m, err := New(amount, currency)
		if err != nil {
			return
		}
		units, err := m.Minor()
		if err != nil {
			return
		}
		whole, fraction, _ := strings.Cut(amount, ".")
		digits := Digits(currency)
		fraction = strings.TrimRight(fraction, "0")
		if len(fraction) > digits {
			t.Fatalf("%s has more digits than %d and is %d", m, digits, units)
		}
		want := strings.TrimLeft(whole+fraction+strings.Repeat("0", digits-len(fraction)), "0")
		if got := strings.TrimLeft(money(t, strconv.FormatInt(units, 10), "JPY").Amount(), "0"); got != want {
			t.Fatalf("%s is %s, want %s", m, got, want)
		}
	})
}

func TestWhatIsLeftIsNeverNegative(t *testing.T) {
	left, err := money(t, "1500", "EUR").Sub(money(t, "199.99", "EUR"))
	if err != nil || !left.Equal(money(t, "1300.01", "EUR")) {
		t.Errorf("left %v, %v", left, err)
	}
	if nothing, err := left.Sub(left); err != nil || !nothing.IsZero() {
		t.Errorf("left %v, %v", nothing, err)
	}
	if less, err := left.Sub(money(t, "1300.02", "EUR")); !errors.Is(err, ErrNegative) {
		t.Errorf("left %v, error %v", less, err)
	}
	if other, err := left.Sub(money(t, "1", "USD")); !errors.Is(err, ErrCurrency) {
		t.Errorf("left %v, error %v", other, err)
	}
}
