package domain

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/contracts/money"
)

// order is one of a status and a total such as "12.50 EUR".
func order(t *testing.T, status, total string) Order {
	t.Helper()
	amount, currency, _ := strings.Cut(total, " ")
	m, err := money.New(amount, currency)
	if err != nil {
		t.Fatal(err)
	}
	return Order{Status: status, Total: m}
}

func texts(all []money.Money) []string {
	out := []string{}
	for _, m := range all {
		out = append(out, m.String())
	}
	return out
}

func TestAnalyticsAreExactByCurrency(t *testing.T) {
	for _, test := range []struct {
		name           string
		totals         []string // with a ! before those of cancelled orders
		orders         int
		spent, average []string
	}{
		{"none", nil, 0, []string{}, []string{}},
		{"only cancelled", []string{"!9.99 EUR"}, 0, []string{}, []string{}},
		{"no digit is lost", []string{"0.10 EUR", "0.20 EUR", "0.30 EUR"}, 3, []string{"0.60 EUR"}, []string{"0.20 EUR"}},
		{"cancelled ones are left out", []string{"10.00 EUR", "!99.00 EUR", "20.00 EUR"}, 2, []string{"30.00 EUR"}, []string{"15.00 EUR"}},
		{"a third is rounded down", []string{"10.00 EUR", "0.00 EUR", "0.00 EUR"}, 3, []string{"10.00 EUR"}, []string{"3.33 EUR"}},
		{"two thirds are rounded up", []string{"20.00 EUR", "0.00 EUR", "0.00 EUR"}, 3, []string{"20.00 EUR"}, []string{"6.67 EUR"}},
		{"halves are rounded up", []string{"0.01 EUR", "0.00 EUR"}, 2, []string{"0.01 EUR"}, []string{"0.01 EUR"}},
		{"currencies stay apart", []string{"3.00 USD", "1.00 EUR", "!1 JPY", "2.00 EUR"}, 3, []string{"3.00 EUR", "3.00 USD"}, []string{"1.50 EUR", "3.00 USD"}},
		{"a currency without a smaller unit", []string{"100 JPY", "101 JPY"}, 2, []string{"201 JPY"}, []string{"101 JPY"}},
		{"a currency with a thousandth", []string{"1.000 BHD", "1.001 BHD"}, 2, []string{"2.001 BHD"}, []string{"1.001 BHD"}},
		{"beyond what a float can tell apart", []string{"90071992547409.93 EUR", "0.01 EUR"}, 2, []string{"90071992547409.94 EUR"}, []string{"45035996273704.97 EUR"}},
	} {
		var orders []Order
		for _, total := range test.totals {
			status := "completed"
			if strings.HasPrefix(total, "!") {
				status, total = "cancelled", total[1:]
			}
			orders = append(orders, order(t, status, total))
		}
		got, err := Analyse(orders)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got.Orders != test.orders {
			t.Errorf("%s: %d orders, want %d", test.name, got.Orders, test.orders)
		}
		if diff := cmp.Diff(test.spent, texts(got.Spent)); diff != "" {
			t.Errorf("%s: spent: %s", test.name, diff)
		}
		if diff := cmp.Diff(test.average, texts(got.Average)); diff != "" {
			t.Errorf("%s: average: %s", test.name, diff)
		}
	}
}

func TestSumThatDoesNotFitIsNoSum(t *testing.T) {
	huge := order(t, "completed", "99999999999999999.99 EUR")
	if got, err := Analyse([]Order{huge, huge}); err == nil || errors.Is(err, money.ErrCurrency) {
		t.Errorf("%+v, %v; want an error, as nothing may be rounded", got, err)
	}
}
