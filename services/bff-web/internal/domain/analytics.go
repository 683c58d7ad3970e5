package domain

import (
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/trellis-mesh/trellis/contracts/money"
)

// Analytics are sums over orders that were not cancelled. Amounts are one a currency, by its code.
type Analytics struct {
	Orders  int
	Spent   []money.Money
	Average []money.Money // of the orders in that currency
}

// Analyse adds orders up.
func Analyse(orders []Order) (Analytics, error) {
	var a Analytics
	sums, counts := map[string]money.Money{}, map[string]int{}
	for _, order := range orders {
		if order.Cancelled() {
			continue
		}
		currency := order.Total.Currency()
		sum, err := sums[currency].Add(order.Total)
		if err != nil {
			return Analytics{}, fmt.Errorf("add up the orders in %s: %w", currency, err)
		}
		sums[currency] = sum
		counts[currency]++
		a.Orders++
	}
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		average, err := divide(sums[currency], counts[currency])
		if err != nil {
			return Analytics{}, fmt.Errorf("average the orders in %s: %w", currency, err)
		}
		a.Spent = append(a.Spent, sums[currency])
		a.Average = append(a.Average, average)
	}
	return a, nil
}

// divide gives the n-th part, rounded to the currency's smallest unit, halves up. Amounts that are paid are never rounded; this one is
// only shown.
func divide(m money.Money, n int) (money.Money, error) {
	exact, ok := new(big.Rat).SetString(m.Amount())
	if !ok {
		return money.Money{}, fmt.Errorf("divide %s: %w", m, money.ErrAmount)
	}
	exact.Quo(exact, big.NewRat(int64(n), 1))
	return money.New(exact.FloatString(money.Digits(m.Currency())), m.Currency())
}
