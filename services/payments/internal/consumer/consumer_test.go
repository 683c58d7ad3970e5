package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/payments/api"
	"github.com/trellis-mesh/trellis/services/payments/internal/app"
	"github.com/trellis-mesh/trellis/services/payments/internal/domain"
	"github.com/trellis-mesh/trellis/services/payments/internal/gateway"
	"github.com/trellis-mesh/trellis/services/payments/internal/store"
	"github.com/trellis-mesh/trellis/services/payments/migrations"
)

// fixture is a consumer on a database of the test's own. There is no gateway: the orders are paid by invoice.
type fixture struct {
	*Consumer
	kept      *store.Store
	box       *outbox.Outbox
	published *eventtest.Recorder
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	f := fixture{published: &eventtest.Recorder{}}
	var err error
	if f.box, err = outbox.New(db, f.published, outbox.Options{}); err != nil {
		t.Fatal(err)
	}
	nobody, err := legacyapi.NewClientWithResponses("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	f.kept = store.New(db, f.box)
	f.Consumer = New(outbox.NewInbox(db, "payments"), app.New(f.kept, gateway.New(nobody), slog.New(slog.DiscardHandler), nil))
	return f
}

func newEvent(t *testing.T, typ string, payload any) event.Event {
	t.Helper()
	e, err := event.New(typ, "o", payload)
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	return e
}

func reserved(t *testing.T) event.Event {
	t.Helper()
	return newEvent(t, api.InventoryReservedV1Type, api.InventoryReservedV1{
		OrderID: "o", CustomerID: "c", PaymentMethod: domain.Invoice, Total: api.InventoryReservedV1Total{Amount: "12.50", Currency: "EUR"},
	})
}

func cancelled(t *testing.T) event.Event {
	t.Helper()
	return newEvent(t, api.OrderCancelledV1Type, api.OrderCancelledV1{ID: "o", CustomerID: "c"})
}

func (f fixture) told(t *testing.T) []event.Event {
	t.Helper()
	if err := f.box.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f.published.Events()
}

func TestWhatNoRetryCanMendIsDeadLettered(t *testing.T) {
	f := newFixture(t)
	noOrder := reserved(t)
	var payload api.InventoryReservedV1
	if err := json.Unmarshal(noOrder.Data(), &payload); err != nil {
		t.Fatal(err)
	}
	payload.OrderID = ""
	if err := noOrder.SetData("application/json", payload); err != nil {
		t.Fatal(err)
	}
	for name, handled := range map[string]error{
		"a list reserved":        f.InventoryReservedV1(t.Context(), newEvent(t, api.InventoryReservedV1Type, []int{1})),
		"no amount":              f.InventoryReservedV1(t.Context(), newEvent(t, api.InventoryReservedV1Type, api.InventoryReservedV1{OrderID: "o"})),
		"no order reserved":      f.InventoryReservedV1(t.Context(), noOrder),
		"a list cancelled":       f.OrderCancelledV1(t.Context(), newEvent(t, api.OrderCancelledV1Type, []int{1})),
		"no order cancelled":     f.OrderCancelledV1(t.Context(), newEvent(t, api.OrderCancelledV1Type, api.OrderCancelledV1{})),
		"another payment exists": f.another(t),
	} {
		if !event.IsPermanent(handled) {
			t.Errorf("%s: error %v", name, handled)
		}
	}
}

// another reserves an order that has another payment.
func (f fixture) another(t *testing.T) error {
	t.Helper()
	if err := f.InventoryReservedV1(t.Context(), reserved(t)); err != nil {
		t.Fatal(err)
	}
	return f.InventoryReservedV1(t.Context(), newEvent(t, api.InventoryReservedV1Type, api.InventoryReservedV1{
		OrderID: "o", CustomerID: "c", PaymentMethod: domain.Invoice, Total: api.InventoryReservedV1Total{Amount: "99", Currency: "EUR"},
	}))
}

func TestAFailedHandlingLeavesNothing(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := reserved(t)
	if err := f.InventoryReservedV1(ctx, e); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, err := f.kept.Get(t.Context(), "o"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the payment is there: %v", err)
	}
	if err := f.InventoryReservedV1(t.Context(), e); err != nil || len(f.told(t)) != 1 {
		t.Errorf("told %v, error %v", f.told(t), err)
	}
}
