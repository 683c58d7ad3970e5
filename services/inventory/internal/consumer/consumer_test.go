package consumer_test

import (
	"context"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/inventory/api"
	"github.com/trellis-mesh/trellis/services/inventory/internal/consumer"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/services/inventory/internal/store"
	"github.com/trellis-mesh/trellis/services/inventory/migrations"
)

// lab is a consumer, the stock that it works on, and what it has published.
type lab struct {
	*consumer.Consumer
	stock *store.Store
	box   *outbox.Outbox
	sent  *eventtest.Recorder
}

// newLab is a lab on a database of the test's own, with 10 pieces of tea and 1 of milk.
func newLab(t *testing.T) lab {
	t.Helper()
	l := labOn(t, databasetest.New(t, nil))
	for product, pieces := range map[string]int{"tea": 10, "milk": 1} {
		if _, err := l.stock.SetStock(t.Context(), product, pieces); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func labOn(t *testing.T, db *database.DB) lab {
	t.Helper()
	for _, m := range []error{
		database.Migrate(t.Context(), db, migrations.FS), database.Migrate(t.Context(), db, outbox.Migrations()),
	} {
		if m != nil {
			t.Fatal(m)
		}
	}
	l := lab{stock: store.New(db), sent: &eventtest.Recorder{}}
	var err error
	if l.box, err = outbox.New(db, l.sent, outbox.Options{}); err != nil {
		t.Fatal(err)
	}
	l.Consumer = consumer.New(consumer.Deps{Inbox: outbox.NewInbox(db, "inventory"), Outbox: l.box, Store: l.stock})
	return l
}

// told are the events that were published so far.
func (l lab) told(t *testing.T) []event.Event {
	t.Helper()
	if err := l.box.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.sent.Events()
}

// handle gives an event to its handler, as the service's wiring does.
func (l lab) handle(ctx context.Context, e event.Event) error {
	return map[string]event.Handler{
		api.OrderCreatedV1Type: l.OrderCreatedV1, api.OrderCancelledV1Type: l.OrderCancelledV1,
		api.OrderCompletedV1Type: l.OrderCompletedV1, api.PaymentFailedV1Type: l.PaymentFailedV1,
	}[e.Type()](ctx, e)
}

func (l lab) expect(t *testing.T, product string, onHand, reserved int) {
	t.Helper()
	got, err := l.stock.Stock(t.Context(), product)
	if want := (domain.Stock{ProductID: product, OnHand: onHand, Reserved: reserved}); err != nil || got != want {
		t.Errorf("stock %v and %v, want %v", got, err, want)
	}
}

// newEvent is an event as another service sends it.
func newEvent(t *testing.T, typ, key string, payload any) event.Event {
	t.Helper()
	e, err := event.New(typ, key, payload)
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	return e
}

// created is order.created of an order of some tea and, on two lines, milk.
func created(t *testing.T, id string, tea, milk int64) event.Event {
	t.Helper()
	return newEvent(t, api.OrderCreatedV1Type, id, newOrder(id, tea, milk))
}

func newOrder(id string, tea, milk int64) api.OrderCreatedV1 {
	order := api.OrderCreatedV1{
		ID: id, CustomerID: "ada", Total: api.OrderCreatedV1Total{Amount: "12.50", Currency: "EUR"},
		Items: []api.OrderCreatedV1ItemsItem{{ProductID: "tea", Quantity: tea}},
	}
	for range milk {
		order.Items = append(order.Items, api.OrderCreatedV1ItemsItem{ProductID: "milk", Quantity: 1})
	}
	return order
}

// ended is an event that tells an order's end.
func ended(t *testing.T, typ, id string) event.Event {
	t.Helper()
	switch typ {
	case api.OrderCancelledV1Type:
		return newEvent(t, typ, id, api.OrderCancelledV1{ID: id})
	case api.OrderCompletedV1Type:
		return newEvent(t, typ, id, api.OrderCompletedV1{ID: id})
	}
	return newEvent(t, typ, id, api.PaymentFailedV1{OrderID: id})
}

var types = []string{api.OrderCreatedV1Type, api.OrderCancelledV1Type, api.OrderCompletedV1Type, api.PaymentFailedV1Type}

func TestAPayloadThatDoesNotFitIsRefusedForGood(t *testing.T) {
	l := newLab(t)
	for _, typ := range types {
		for name, payload := range map[string]any{"a list": []int{1}, "no order": map[string]any{"items": []any{}}} {
			if err := l.handle(t.Context(), newEvent(t, typ, "1", payload)); !event.IsPermanent(err) {
				t.Errorf("%s with %s: error %v, want a permanent one", typ, name, err)
			}
		}
	}
}
