package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
)

func TestMoneyIsCountedByCurrency(t *testing.T) {
	p := New(nil, nil, nil, nil)
	pay := func(status domain.Status, amount, currency, transaction string) {
		m, err := money.New(amount, currency)
		if err != nil {
			t.Fatal(err)
		}
		p.count(domain.Payment{Order: domain.Order{Amount: m}, Status: status, TransactionID: transaction, ID: "p1"})
	}
	pay(domain.Succeeded, "12.50", "EUR", "t1")
	pay(domain.Succeeded, "0.75", "EUR", "t2")
	pay(domain.Succeeded, "300", "JPY", "t3")
	pay(domain.Failed, "99", "EUR", "")
	pay(domain.Refunded, "0.75", "EUR", "t2")
	pay(domain.Refunded, "99", "EUR", "") // there was nothing to give back
	pay(domain.Pending, "1000", "EUR", "")
	for name, got := range map[string][2]float64{
		"euros taken":      {testutil.ToFloat64(p.metrics.MoneyTaken("EUR")), 13.25},
		"yen taken":        {testutil.ToFloat64(p.metrics.MoneyTaken("JPY")), 300},
		"euros given back": {testutil.ToFloat64(p.metrics.MoneyRefunded("EUR")), 0.75},
		"succeeded":        {testutil.ToFloat64(p.metrics.Settled("succeeded")), 3},
		"failed":           {testutil.ToFloat64(p.metrics.Settled("failed")), 1},
		"refunded":         {testutil.ToFloat64(p.metrics.Settled("refunded")), 2},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %v, want %v", name, got[0], got[1])
		}
	}
}
