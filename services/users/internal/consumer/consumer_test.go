package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/internal/summary"
	"github.com/trellis-mesh/trellis/services/users/migrations"
)

// fixture is a consumer on a database of the test's own.
type fixture struct {
	*Consumer
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	return fixture{New(outbox.NewInbox(db, "users"), summary.New(db, 1))}
}

// want says how many orders are known of, how many count, and what they cost.
func (f fixture) want(t *testing.T, version, orders int64, total string) {
	t.Helper()
	got, err := f.summaries.Get(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	spent := ""
	for _, m := range got.Totals {
		spent += m.String()
	}
	if got.Version != version || got.OrderCount != orders || spent != total {
		t.Errorf("summary %+v, want version %d, %d orders of %q", got, version, orders, total)
	}
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

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func completed(t *testing.T, id, amount string) event.Event {
	t.Helper()
	return newEvent(t, api.OrderCompletedV1Type, api.OrderCompletedV1{
		ID: id, CustomerID: "ada", Total: api.OrderCompletedV1Total{Amount: amount, Currency: "EUR"}, CompletedAt: noon,
	})
}

func cancelled(t *testing.T, id, amount string) event.Event {
	t.Helper()
	return newEvent(t, api.OrderCancelledV1Type, api.OrderCancelledV1{
		ID: id, CustomerID: "ada", Total: api.OrderCancelledV1Total{Amount: amount, Currency: "EUR"}, CancelledAt: noon,
	})
}

func TestOrderCompletedV1CountsOnce(t *testing.T) {
	f := newFixture(t)
	first := completed(t, "o1", "12.50")
	for _, e := range []event.Event{first, first, completed(t, "o1", "12.50"), completed(t, "o2", "0.50")} { // the third is another event of the same order
		if err := f.OrderCompletedV1(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	f.want(t, 2, 2, "13.00 EUR")
}

func TestOrderCancelledV1IsKnownOfAndCostsNothing(t *testing.T) {
	f := newFixture(t)
	for _, handle := range []func() error{
		func() error { return f.OrderCancelledV1(t.Context(), cancelled(t, "o1", "99")) },
		func() error { return f.OrderCompletedV1(t.Context(), completed(t, "o2", "1")) },
	} {
		if err := handle(); err != nil {
			t.Fatal(err)
		}
	}
	f.want(t, 2, 1, "1 EUR")
	if err := f.summaries.WaitFor(t.Context(), "ada", "o1"); err != nil {
		t.Error(err)
	}
}

func TestWhatNoRetryCanMendIsDeadLettered(t *testing.T) {
	f := newFixture(t)
	if err := f.OrderCompletedV1(t.Context(), completed(t, "o1", "1")); err != nil {
		t.Fatal(err)
	}
	for name, handled := range map[string]error{
		"a list completed": f.OrderCompletedV1(t.Context(), newEvent(t, api.OrderCompletedV1Type, []int{1})),
		"a list cancelled": f.OrderCancelledV1(t.Context(), newEvent(t, api.OrderCancelledV1Type, []int{1})),
		"no amount":        f.OrderCompletedV1(t.Context(), completed(t, "o2", "")),
		"no order":         f.OrderCompletedV1(t.Context(), completed(t, "", "1")),
		"no time":          f.OrderCancelledV1(t.Context(), newEvent(t, api.OrderCancelledV1Type, api.OrderCancelledV1{ID: "o3", CustomerID: "ada"})),
		"settled twice":    f.OrderCancelledV1(t.Context(), cancelled(t, "o1", "1")),
	} {
		if !event.IsPermanent(handled) {
			t.Errorf("%s: error %v", name, handled)
		}
	}
	f.want(t, 1, 1, "1 EUR")
}

func TestAFailedHandlingLeavesNothing(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := completed(t, "o1", "1")
	if err := f.OrderCompletedV1(ctx, e); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	f.want(t, 0, 0, "")
	if err := f.OrderCompletedV1(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	f.want(t, 1, 1, "1 EUR")
}
