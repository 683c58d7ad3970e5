package consumer

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/payments/api"
)

func TestInventoryReservedV1ChargesOnceAndTells(t *testing.T) {
	f := newFixture(t)
	e := reserved(t)
	for _, again := range []event.Event{e, e, reserved(t)} { // twice the same, and once under another id
		if err := f.InventoryReservedV1(t.Context(), again); err != nil {
			t.Fatal(err)
		}
	}
	told := f.told(t)
	if len(told) != 1 || told[0].Type() != api.PaymentProcessedV1Type || told[0].Subject() != "o" {
		t.Fatalf("told %v", told)
	}
	got, err := event.Decode[api.PaymentProcessedV1](told[0])
	if err != nil {
		t.Fatal(err)
	}
	if got.OrderID != "o" || got.CustomerID != "c" || got.Amount.Amount != "12.50" || got.Amount.Currency != "EUR" || got.PaymentID == "" {
		t.Errorf("told %+v", got)
	}
}
