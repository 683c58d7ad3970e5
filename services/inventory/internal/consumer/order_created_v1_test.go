package consumer_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/services/inventory/api"
)

func TestOrderCreatedReservesAndTellsSoOnce(t *testing.T) {
	l, e := newLab(t), created(t, "1", 3, 1)
	for range 2 {
		if err := l.OrderCreatedV1(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.OrderCreatedV1(t.Context(), created(t, "1", 3, 1)); err != nil { // another event, the same order
		t.Fatal(err)
	}
	l.expect(t, "tea", 10, 3)
	l.expect(t, "milk", 1, 1)
	told := l.told(t)
	if len(told) != 1 || told[0].Type() != api.InventoryReservedV1Type || told[0].Subject() != "1" {
		t.Fatalf("told %v", told)
	}
	got, err := event.Decode[api.InventoryReservedV1](told[0])
	if err != nil {
		t.Fatal(err)
	}
	want := api.InventoryReservedV1{
		OrderID: "1", CustomerID: "ada", Total: api.InventoryReservedV1Total{Amount: "12.50", Currency: "EUR"}, PaymentMethod: "invoice",
		Items: []api.InventoryReservedV1ItemsItem{{ProductID: "milk", Quantity: 1}, {ProductID: "tea", Quantity: 3}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Error(diff)
	}
	if time.Since(got.ReservedAt) > time.Minute {
		t.Errorf("reserved at %s", got.ReservedAt)
	}
}

func TestInventoryReservedCarriesOnHowTheOrderIsPaid(t *testing.T) {
	l, card, order := newLab(t), "card-on-file", newOrder("1", 1, 0)
	order.PaymentMethod = &card
	if err := l.OrderCreatedV1(t.Context(), newEvent(t, api.OrderCreatedV1Type, "1", order)); err != nil {
		t.Fatal(err)
	}
	for _, e := range l.told(t) {
		if got, err := event.Decode[api.InventoryReservedV1](e); err != nil || got.PaymentMethod != card {
			t.Errorf("payment method %q and %v", got.PaymentMethod, err)
		}
	}
}

// failedReasons are the reasons of the failures that were told; anything else told fails the test.
func failedReasons(t *testing.T, l lab) []string {
	t.Helper()
	var reasons []string
	for _, e := range l.told(t) {
		failed, err := event.Decode[api.InventoryReservationFailedV1](e)
		if err != nil || e.Type() != api.InventoryReservationFailedV1Type || failed.OrderID != e.Subject() {
			t.Errorf("told %v and %v", e, err)
		}
		reasons = append(reasons, failed.Reason)
	}
	return reasons
}

func TestOrderCreatedThatNeedsTooMuchFailsForGood(t *testing.T) {
	l := newLab(t)
	if err := l.OrderCreatedV1(t.Context(), created(t, "1", 3, 2)); err != nil { // one line of milk is there, not both
		t.Fatal(err)
	}
	l.expect(t, "tea", 10, 0)
	if _, err := l.stock.SetStock(t.Context(), "milk", 10); err != nil {
		t.Fatal(err)
	}
	if err := l.OrderCreatedV1(t.Context(), created(t, "1", 3, 2)); err != nil { // what was told stays true
		t.Fatal(err)
	}
	l.expect(t, "tea", 10, 0)
	l.expect(t, "milk", 10, 0)
	if diff := cmp.Diff([]string{"stock_insufficient", "reservation_released"}, failedReasons(t, l)); diff != "" {
		t.Error(diff)
	}
}

func TestOrderCreatedAfterTheOrderWasCancelledReservesNothing(t *testing.T) {
	for _, typ := range []string{api.OrderCancelledV1Type, api.PaymentFailedV1Type} {
		l := newLab(t)
		for _, e := range []event.Event{ended(t, typ, "1"), created(t, "1", 3, 0)} {
			if err := l.handle(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		l.expect(t, "tea", 10, 0)
		if diff := cmp.Diff([]string{"reservation_released"}, failedReasons(t, l)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestOrderCreatedIsActedOnInChoreographyAlone(t *testing.T) {
	for way, reserved := range map[string]int{"choreography": 3, "orchestration": 0, "two-phase": 0, "": 0} {
		l, order := newLab(t), newOrder("1", 3, 0)
		order.Fulfilment = &way
		if err := l.OrderCreatedV1(t.Context(), newEvent(t, api.OrderCreatedV1Type, "1", order)); err != nil {
			t.Fatal(err)
		}
		l.expect(t, "tea", 10, reserved)
		if told := l.told(t); (len(told) == 1) != (reserved > 0) {
			t.Errorf("%q: told %v", way, told)
		}
	}
}

func TestOrderCreatedWithOtherLinesIsRefusedForGood(t *testing.T) {
	l := newLab(t)
	if err := l.OrderCreatedV1(t.Context(), created(t, "1", 3, 0)); err != nil {
		t.Fatal(err)
	}
	for _, e := range []event.Event{created(t, "1", 4, 0), created(t, "2", 0, 0), created(t, "3", -1, 0)} {
		if err := l.OrderCreatedV1(t.Context(), e); !event.IsPermanent(err) {
			t.Errorf("%s: error %v, want a permanent one", e.Data(), err)
		}
	}
	l.expect(t, "tea", 10, 3)
}
