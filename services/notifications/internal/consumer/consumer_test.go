package consumer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/app"
	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
	"github.com/trellis-mesh/trellis/services/notifications/internal/mail"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
	"github.com/trellis-mesh/trellis/services/notifications/migrations"
	"github.com/trellis-mesh/trellis/services/notifications/smtptest"
)

// fixture is a consumer on a database of the test's own, and a real mail server.
type fixture struct {
	*Consumer
	kept   *store.Store
	server *smtptest.Server
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	f := fixture{kept: store.New(db), server: smtptest.New(t)}
	sender, err := mail.New(mail.Options{Host: f.server.Host(), Port: f.server.Port(), TLS: mail.NoTLS, From: "shop@shop.example"})
	if err != nil {
		t.Fatal(err)
	}
	notifications, err := app.New(f.kept, app.Options{Mailer: sender, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f.Consumer = New(outbox.NewInbox(db, "notifications"), notifications)
	return f
}

func newEvent(t *testing.T, typ, key string, payload any) event.Event {
	t.Helper()
	e, err := event.New(typ, key, payload)
	if err != nil {
		t.Fatal(err)
	}
	e.SetSource("test")
	return e
}

const address = "ada@customers.example"

func registered(t *testing.T) event.Event {
	t.Helper()
	return newEvent(t, api.UserCreatedV1Type, "c", api.UserCreatedV1{ID: "c", Name: "Ada", Email: address})
}

// subjects sends what is due and gives the subjects that arrived.
func (f fixture) subjects(t *testing.T) (subjects []string) {
	t.Helper()
	for did := true; did; {
		var err error
		if did, err = f.notifications.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range f.server.Mails() {
		subjects = append(subjects, m.Header.Get("Subject"))
	}
	return subjects
}

func TestEachEventIsOneLetterHoweverOftenItComes(t *testing.T) {
	f := newFixture(t)
	total := func() (amount, currency string) { return "12.50", "EUR" }
	amount, currency := total()
	for _, step := range []struct {
		handle  event.Handler
		event   event.Event
		subject string
		text    string
	}{
		{f.UserCreatedV1, registered(t), "Welcome", "Hello Ada"},
		{f.OrderCompletedV1, newEvent(t, api.OrderCompletedV1Type, "o-1", api.OrderCompletedV1{
			ID: "o-1", CustomerID: "c", Total: api.OrderCompletedV1Total{Amount: amount, Currency: currency},
		}), "Your order o-1", "12.50 EUR"},
		{f.OrderCancelledV1, newEvent(t, api.OrderCancelledV1Type, "o-2", api.OrderCancelledV1{
			ID: "o-2", CustomerID: "c", Reason: "not in stock", Total: api.OrderCancelledV1Total{Amount: amount, Currency: currency},
		}), "Your order o-2 is cancelled", "not in stock"},
		{f.ShipmentCreatedV1, newEvent(t, api.ShipmentCreatedV1Type, "o-1", api.ShipmentCreatedV1{
			OrderID: "o-1", ShipmentID: "s", CustomerID: "c",
		}), "Your order o-1 is on its way", "on its way to you"},
	} {
		before := len(f.subjects(t))
		for range 3 {
			if err := step.handle(t.Context(), step.event); err != nil {
				t.Fatal(err)
			}
			f.subjects(t)
		}
		got := f.subjects(t)
		if len(got) != before+1 || got[before] != step.subject {
			t.Errorf("%s: letters %q after %d, want one %q", step.event.Type(), got, before, step.subject)
			continue
		}
		last := f.server.Mails()[before]
		if last.To != address || !strings.Contains(last.Text, step.text) {
			t.Errorf("%s: letter %+v", step.event.Type(), last)
		}
		if want := domain.ID("test", step.event.ID()) + "@shop.example"; last.ID != want {
			t.Errorf("%s: Message-ID %s, want %s", step.event.Type(), last.ID, want)
		}
	}
}

func TestAnOrderMayComeBeforeItsCustomer(t *testing.T) {
	f := newFixture(t)
	e := newEvent(t, api.ShipmentCreatedV1Type, "o", api.ShipmentCreatedV1{OrderID: "o", CustomerID: "c"})
	if err := f.ShipmentCreatedV1(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := f.subjects(t); len(got) > 0 {
		t.Errorf("letters %q", got)
	}
	if err := f.UserCreatedV1(t.Context(), registered(t)); err != nil {
		t.Fatal(err)
	}
	if got := f.subjects(t); len(got) != 2 {
		t.Errorf("letters %q", got)
	}
}

func TestWhatNoRetryCanMendIsDeadLettered(t *testing.T) {
	f := newFixture(t)
	user := func(id, email string) event.Event {
		return newEvent(t, api.UserCreatedV1Type, "c", api.UserCreatedV1{ID: id, Name: "Ada", Email: email})
	}
	for name, handled := range map[string]error{
		"a list of users":       f.UserCreatedV1(t.Context(), newEvent(t, api.UserCreatedV1Type, "c", []int{1})),
		"no address":            f.UserCreatedV1(t.Context(), user("c", "")),
		"a name for an address": f.UserCreatedV1(t.Context(), user("c", "ada")),
		"a header in it":        f.UserCreatedV1(t.Context(), user("c", address+"\r\nBcc: "+address)),
		"no user":               f.UserCreatedV1(t.Context(), user("", address)),
		"a list of orders":      f.OrderCompletedV1(t.Context(), newEvent(t, api.OrderCompletedV1Type, "o", []int{1})),
		"no customer":           f.OrderCompletedV1(t.Context(), newEvent(t, api.OrderCompletedV1Type, "o", api.OrderCompletedV1{ID: "o"})),
		"a list cancelled":      f.OrderCancelledV1(t.Context(), newEvent(t, api.OrderCancelledV1Type, "o", []int{1})),
		"nobody's cancellation": f.OrderCancelledV1(t.Context(), newEvent(t, api.OrderCancelledV1Type, "o", api.OrderCancelledV1{ID: "o"})),
		"a list shipped":        f.ShipmentCreatedV1(t.Context(), newEvent(t, api.ShipmentCreatedV1Type, "o", []int{1})),
		"nobody's shipment":     f.ShipmentCreatedV1(t.Context(), newEvent(t, api.ShipmentCreatedV1Type, "o", api.ShipmentCreatedV1{OrderID: "o"})),
	} {
		if !event.IsPermanent(handled) {
			t.Errorf("%s: error %v", name, handled)
		}
		if handled != nil && strings.Contains(handled.Error(), "customers.example") {
			t.Errorf("%s: the cause tells an address: %v", name, handled)
		}
	}
	if got := f.subjects(t); len(got) > 0 {
		t.Errorf("letters %q", got)
	}
}

func TestAFailedHandlingLeavesNothing(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := registered(t)
	if err := f.UserCreatedV1(ctx, e); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, known, err := f.kept.Customer(t.Context(), "c"); err != nil || known {
		t.Errorf("known %v, %v", known, err)
	}
	if err := f.UserCreatedV1(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := f.subjects(t); len(got) != 1 {
		t.Errorf("letters %q", got)
	}
	messages, err := f.kept.List(t.Context(), "c", 10)
	if err != nil || len(messages) != 1 || time.Since(messages[0].SentAt) > time.Minute {
		t.Errorf("messages %+v, %v", messages, err)
	}
}
