package consumer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/shipping/api"
	"github.com/trellis-mesh/trellis/services/shipping/internal/consumer"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
	"github.com/trellis-mesh/trellis/services/shipping/migrations"
)

// lab is a consumer, the shipments that it works on, and what it has published.
type lab struct {
	*consumer.Consumer
	shipments *store.Store
	box       *outbox.Outbox
	sent      *eventtest.Recorder
}

func newLab(t *testing.T) lab {
	t.Helper()
	return labOn(t, databasetest.New(t, nil))
}

func labOn(t *testing.T, db *database.DB) lab {
	t.Helper()
	err := errors.Join(database.Migrate(t.Context(), db, migrations.FS), database.Migrate(t.Context(), db, outbox.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	l := lab{shipments: store.New(db), sent: &eventtest.Recorder{}}
	if l.box, err = outbox.New(db, l.sent, outbox.Options{}); err != nil {
		t.Fatal(err)
	}
	l.Consumer = consumer.New(consumer.Deps{Inbox: outbox.NewInbox(db, "shipping"), Outbox: l.box, Store: l.shipments})
	return l
}

// told are the announcements that were published so far, by their orders.
func (l lab) told(t *testing.T) map[string][]api.ShipmentCreatedV1 {
	t.Helper()
	if err := l.box.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := map[string][]api.ShipmentCreatedV1{}
	for _, e := range l.sent.Events() {
		created, err := event.Decode[api.ShipmentCreatedV1](e)
		if err != nil || e.Type() != api.ShipmentCreatedV1Type || e.Subject() != created.OrderID {
			t.Fatalf("told %v and %v", e, err)
		}
		told[created.OrderID] = append(told[created.OrderID], created)
	}
	return told
}

// handle gives an event to its handler, as the service's wiring does.
func (l lab) handle(ctx context.Context, e event.Event) error {
	return map[string]event.Handler{
		api.OrderCancelledV1Type: l.OrderCancelledV1, api.OrderCompletedV1Type: l.OrderCompletedV1,
	}[e.Type()](ctx, e)
}

// say gives a shipment a message that is no event.
func (l lab) say(t *testing.T, order string, m domain.Message) domain.Shipment {
	t.Helper()
	shipment, _, err := l.shipments.Handle(t.Context(), order, m, parcel)
	if err != nil {
		t.Fatal(err)
	}
	return shipment
}

var parcel = domain.Parcel{CustomerID: "ada", Address: "Main Street 1", Lines: []domain.Line{{ProductID: "tea", Quantity: 2}}}

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

func completed(t *testing.T, id string) event.Event {
	t.Helper()
	return newEvent(t, api.OrderCompletedV1Type, id, api.OrderCompletedV1{
		ID: id, CustomerID: parcel.CustomerID, ShippingAddress: &parcel.Address,
		Items: []api.OrderCompletedV1ItemsItem{{ProductID: "tea", Quantity: 2}},
	})
}

func cancelled(t *testing.T, id string) event.Event {
	t.Helper()
	return newEvent(t, api.OrderCancelledV1Type, id, api.OrderCancelledV1{ID: id, CustomerID: parcel.CustomerID})
}

func TestAPayloadThatDoesNotFitIsRefusedForGood(t *testing.T) {
	l := newLab(t)
	for _, typ := range []string{api.OrderCompletedV1Type, api.OrderCancelledV1Type} {
		for name, payload := range map[string]any{"a list": []int{1}, "no order": map[string]any{"items": []any{}}} {
			if err := l.handle(t.Context(), newEvent(t, typ, "1", payload)); !event.IsPermanent(err) {
				t.Errorf("%s with %s: error %v, want a permanent one", typ, name, err)
			}
		}
	}
}
