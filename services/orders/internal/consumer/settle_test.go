package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/internal/store"
)

// told is an event of others about the order 1, and what handles it.
type told struct {
	typ     string
	payload any
	handle  func(*Consumer, context.Context, event.Event) error
}

var (
	paid    = told{api.PaymentProcessedV1Type, api.PaymentProcessedV1{OrderID: "1"}, (*Consumer).PaymentProcessedV1}
	notPaid = told{api.PaymentFailedV1Type, api.PaymentFailedV1{OrderID: "1", Reason: "declined"}, (*Consumer).PaymentFailedV1}
	noStock = told{api.InventoryReservationFailedV1Type, api.InventoryReservationFailedV1{OrderID: "1", Reason: "sold out"}, (*Consumer).InventoryReservationFailedV1}
)

func (x told) event(t *testing.T) event.Event {
	t.Helper()
	e, err := event.New(x.typ, "1", x.payload)
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	return e
}

// place keeps the order 1.
func place(t *testing.T, kept *store.Store, fulfilment domain.Fulfilment) {
	t.Helper()
	price, err := money.New("12.50", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	order := domain.Draft("1", domain.Customer{ID: "c", Name: "Ada"}, time.Now().UTC())
	err = errors.Join(
		order.AddItem(domain.Item{ProductID: "p", Name: "Tea", Quantity: 2, UnitPrice: price}),
		order.SetPayment(domain.Payment{Method: domain.Invoice, Amount: order.Snapshot().Total}), order.SetShipping(domain.ShipToCustomer()),
		order.Confirm(fulfilment, time.Now().UTC()),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Add(t.Context(), domain.Restore(order.Snapshot())); err != nil { // what was told of it was told
		t.Fatal(err)
	}
}

// TestOrderIsSettledByWhatOthersTell goes through every pair of events: the first settles the order, and whatever comes after it, be
// it the same once more, changes nothing and tells nobody anything.
func TestOrderIsSettledByWhatOthersTell(t *testing.T) {
	all := []told{paid, notPaid, noStock}
	wants := map[string]struct {
		status  domain.Status
		reason  string
		publish string
	}{
		paid.typ:    {domain.Completed, "", api.OrderCompletedV1Type},
		notPaid.typ: {domain.Cancelled, "declined", api.OrderCancelledV1Type},
		noStock.typ: {domain.Cancelled, "sold out", api.OrderCancelledV1Type},
	}
	for _, first := range all {
		for _, second := range all {
			t.Run(first.typ+", then "+second.typ, func(t *testing.T) {
				c, kept, published := newConsumer(t)
				place(t, kept, domain.Choreography)
				again := first.event(t)
				for _, e := range []event.Event{again, second.event(t), again} {
					handle := first.handle
					if e.Type() == second.typ {
						handle = second.handle
					}
					if err := handle(c, t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
				want := wants[first.typ]
				got, err := kept.Get(t.Context(), "1")
				if err != nil || got.Status != want.status || got.Reason != want.reason || got.SettledAt.IsZero() {
					t.Errorf("the order is %+v, %v", got, err)
				}
				var types []string
				for _, e := range published() {
					types = append(types, e.Type()+" of "+e.Subject())
				}
				if diff := cmp.Diff([]string{want.publish + " of 1"}, types); diff != "" {
					t.Errorf("published (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestOrderThatAnotherWaySettlesIsLeftAlone tells of an order that no event settles.
func TestOrderThatAnotherWaySettlesIsLeftAlone(t *testing.T) {
	c, kept, published := newConsumer(t)
	place(t, kept, domain.Orchestration)
	for _, x := range []told{paid, notPaid, noStock} {
		if err := x.handle(c, t.Context(), x.event(t)); err != nil {
			t.Errorf("%s: %v", x.typ, err)
		}
	}
	if got, err := kept.Get(t.Context(), "1"); err != nil || got.Status != domain.Confirmed || len(published()) != 0 {
		t.Errorf("the order is %+v, %v; published %v", got, err, published())
	}
}

func TestWhatIsToldOfAnUnknownOrderIsADeadLetter(t *testing.T) {
	c, _, published := newConsumer(t)
	for _, x := range []told{paid, notPaid, noStock} {
		if err := x.handle(c, t.Context(), x.event(t)); !event.IsPermanent(err) {
			t.Errorf("%s: %v", x.typ, err)
		}
		x.payload = []int{1}
		if err := x.handle(c, t.Context(), x.event(t)); !event.IsPermanent(err) {
			t.Errorf("%s with a list: %v", x.typ, err)
		}
	}
	if got := published(); len(got) != 0 {
		t.Errorf("published %v", got)
	}
}
