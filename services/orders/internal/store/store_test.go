package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/migrations"
)

// newStore is a store on a database of the test's own, and what it has published so far.
func newStore(t *testing.T) (*Store, func() []event.Event) {
	t.Helper()
	db := databasetest.New(t, migrations.FS)
	if err := database.Migrate(t.Context(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	published := &eventtest.Recorder{}
	box, err := outbox.New(db, published, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return New(db, box), func() []event.Event {
		// A relay that is told to stop publishes first what it finds.
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := box.Run(ctx); err != nil {
			t.Fatal(err)
		}
		return published.Events()
	}
}

func newOrder(t *testing.T, id string) domain.Order {
	t.Helper()
	var prices []money.Money
	for _, amount := range []string{"12.50", "0.99"} {
		price, err := money.New(amount, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		prices = append(prices, price)
	}
	order, err := domain.NewOrder(id, domain.Customer{ID: "c", Name: "Ada"}, []domain.Item{
		{ProductID: "p1", Name: "Tea", Quantity: 2, UnitPrice: prices[0]},
		{ProductID: "p2", Name: "Sugar", Quantity: 1, UnitPrice: prices[1]},
	}, domain.Terms{PaymentMethod: "m1", ShippingAddress: "Main Street 1"}, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func TestGetGivesWhatWasCreated(t *testing.T) {
	s, _ := newStore(t)
	want := newOrder(t, "1")
	if err := s.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGetOfAnUnknownID(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
}

func TestEventsArePublishedOnlyWithTheirOrder(t *testing.T) {
	s, published := newStore(t)
	create := func(id string) (event.Event, error) {
		e, err := event.New("order.created.v1", id, map[string]string{"id": id})
		if err != nil {
			t.Fatal(err)
		}
		return e, s.Create(t.Context(), newOrder(t, id), e)
	}
	kept, err := create("1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create("1"); err == nil {
		t.Fatal("a second order of the same id was kept")
	}
	got := published()
	if len(got) != 1 || got[0].ID() != kept.ID() {
		t.Errorf("published %v, want only %v", got, kept)
	}
}

func TestCustomerIsWhatTheLastEventTold(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Customer(t.Context(), "c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
	for _, name := range []string{"Ada", "Ada Lovelace"} {
		want := domain.Customer{ID: "c", Name: name}
		err := s.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { return KeepCustomer(ctx, tx, want) })
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Customer(t.Context(), "c"); err != nil || got != want {
			t.Errorf("got %v and %v, want %v", got, err, want)
		}
	}
}

func TestOrderIsSettledOnceByWhoeverComesFirst(t *testing.T) {
	s, _ := newStore(t)
	if err := s.Create(t.Context(), newOrder(t, "1")); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)
	changes := []func(*domain.Order) bool{
		func(o *domain.Order) bool { return o.Complete(at) },
		func(o *domain.Order) bool { return o.Cancel("no stock", at) },
	}
	var settled atomic.Int32
	var last sync.Map
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			err := s.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				order, isNew, err := Settle(ctx, tx, "1", changes[i%2])
				if isNew {
					settled.Add(1)
				}
				last.Store(order.Status, true)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got, err := s.Get(t.Context(), "1")
	if err != nil || settled.Load() != 1 || got.Status == domain.Confirmed || !got.SettledAt.Equal(at) {
		t.Errorf("settled %d times, to %+v, %v", settled.Load(), got, err)
	}
	last.Range(func(status, _ any) bool {
		if status != got.Status {
			t.Errorf("somebody was told %v, and the order is %s", status, got.Status)
		}
		return true
	})
	err = s.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, _, err := Settle(ctx, tx, "2", changes[0])
		return err
	})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown order: %v, want %v", err, ErrNotFound)
	}
}

func TestOrderOfAProgramOfBeforeCanBeSettled(t *testing.T) {
	s, _ := newStore(t)
	if err := s.Create(t.Context(), newOrder(t, "1")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.NewUpdate().Table("orders").Set("status = ?", "created").Where("id = ?", "1").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), "1"); err != nil || got.Status != domain.Confirmed {
		t.Errorf("status %s, %v", got.Status, err)
	}
	err := s.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, settled, err := Settle(ctx, tx, "1", func(o *domain.Order) bool { return o.Complete(time.Now()) })
		if !settled {
			t.Error("it is not settled")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestListGivesTheLatestOfACustomer(t *testing.T) {
	s, _ := newStore(t)
	var want []domain.Order
	for _, id := range []string{"3", "2", "1"} {
		order := newOrder(t, id)
		order.CreatedAt = order.CreatedAt.Add(time.Duration(id[0]) * time.Minute)
		want = append(want, order)
		if err := s.Create(t.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.List(t.Context(), "c", 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:2], got); diff != "" {
		t.Error(diff)
	}
	if none, err := s.List(t.Context(), "d", 2); err != nil || len(none) != 0 {
		t.Errorf("of another customer, %v, %v", none, err)
	}
}
