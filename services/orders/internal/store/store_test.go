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
	"github.com/trellis-mesh/trellis/services/orders/api"
	"github.com/trellis-mesh/trellis/services/orders/internal/domain"
	"github.com/trellis-mesh/trellis/services/orders/migrations"
)

// newStore is a store on a database of the test's own, and what it has published so far.
func newStore(t *testing.T) (*Store, func() []event.Event) {
	t.Helper()
	return newStoreOn(t, databasetest.New(t, migrations.FS))
}

func newStoreOn(t *testing.T, db *database.DB) (*Store, func() []event.Event) {
	t.Helper()
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

// must wants that all went well.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func item(t *testing.T, product, amount string, quantity domain.Quantity) domain.Item {
	t.Helper()
	price, err := money.New(amount, "EUR")
	must(t, err)
	return domain.Item{ProductID: product, Name: "product " + product, Quantity: quantity, UnitPrice: price}
}

// draft is one of the customer c, of two products.
func draft(t *testing.T, id string, at time.Time) *domain.Order {
	t.Helper()
	order := domain.Draft(id, domain.Customer{ID: "c", Name: "Ada"}, at)
	must(t, order.AddItem(item(t, "p1", "12.50", 2)), order.AddItem(item(t, "p2", "0.99", 1)))
	return order
}

var noon = time.Date(2026, 1, 2, 12, 4, 5, 6000, time.UTC)

// newOrder is a confirmed one.
func newOrder(t *testing.T, id string) *domain.Order {
	t.Helper()
	order := draft(t, id, noon)
	must(t, order.SetPayment(domain.Payment{Method: "m1", Amount: order.Snapshot().Total}), order.SetShipping(domain.Shipping{Address: "Main Street 1"}),
		order.Confirm(domain.Orchestration, noon.Add(time.Minute)))
	return order
}

// wantKept wants that an order is kept as it is.
func wantKept(t *testing.T, s *Store, want domain.Snapshot) {
	t.Helper()
	got, err := s.Get(t.Context(), want.ID)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// conformance checks what the store promises on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *Store, func() []event.Event){
		"what was added is given":                          added,
		"each change is kept":                              changed,
		"a change that is refused changes nothing":         refused,
		"changes of one order wait for each other":         changedAtOnce,
		"an order is settled once by whoever comes first":  settledOnce,
		"an order of a program of before can be settled":   settledOfBefore,
		"a list is of a customer's latest, without drafts": listed,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			must(t, database.Migrate(t.Context(), db, migrations.FS))
			s, published := newStoreOn(t, db)
			test(t, s, published)
		})
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

func added(t *testing.T, s *Store, _ func() []event.Event) {
	home := draft(t, "home", noon)
	must(t, home.SetPayment(domain.Payment{Method: domain.Invoice, Amount: home.Snapshot().Total}), home.SetShipping(domain.ShipToCustomer()), home.Confirm(domain.TwoPhase, noon))
	for _, order := range []*domain.Order{newOrder(t, "1"), home, draft(t, "draft", noon), domain.Draft("empty", domain.Customer{ID: "c"}, noon)} {
		must(t, s.Add(t.Context(), order))
		wantKept(t, s, order.Snapshot())
	}
}

// changed changes an order in every way, one after the other, and finds it kept after each.
func changed(t *testing.T, s *Store, published func() []event.Event) {
	order := domain.Draft("1", domain.Customer{ID: "c", Name: "Ada"}, noon)
	must(t, s.Add(t.Context(), order))
	for i, change := range []func(*domain.Order) error{
		func(o *domain.Order) error { return o.AddItem(item(t, "p1", "12.50", 2)) },
		func(o *domain.Order) error { return o.AddItem(item(t, "p2", "0.99", 1)) },
		func(o *domain.Order) error { return o.AddItem(item(t, "p1", "13.00", 3)) },
		func(o *domain.Order) error { return o.RemoveItem("p1") },
		func(o *domain.Order) error {
			return o.SetPayment(domain.Payment{Method: domain.Invoice, Amount: o.Snapshot().Total})
		},
		func(o *domain.Order) error { return o.SetShipping(domain.Shipping{Address: "Main Street 1"}) },
		func(o *domain.Order) error { return o.Confirm(domain.Choreography, noon.Add(time.Minute)) },
		func(o *domain.Order) error {
			o.Complete(noon.Add(time.Hour))
			return nil
		},
		func(o *domain.Order) error { _, err := o.BeginPayment("m1"); return err },
		func(o *domain.Order) error { return o.Pay(1, noon.Add(2*time.Hour)) },
		func(o *domain.Order) error { return o.Unpay(1) },
		func(o *domain.Order) error { return o.GiveUpPayment(1, domain.Undone, "told nobody") },
		func(o *domain.Order) error { _, err := o.BeginPayment("m2"); return err },
		func(o *domain.Order) error { return o.Pay(2, noon.Add(3*time.Hour)) },
		func(o *domain.Order) error { return o.TellPaid(2) },
	} {
		must(t, change(order)) // the model
		after, err := s.Update(t.Context(), "1", change)
		if err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
		if diff := cmp.Diff(order.Snapshot(), after); diff != "" {
			t.Fatalf("change %d (-want +got):\n%s", i, diff)
		}
		wantKept(t, s, after)
	}
	var types []string
	for _, e := range published() {
		types = append(types, e.Type())
	}
	want := []string{api.OrderCreatedV1Type, api.OrderCompletedV1Type, api.OrderPaidV1Type}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("told others (-want +got):\n%s", diff)
	}
}

func refused(t *testing.T, s *Store, published func() []event.Event) {
	order := newOrder(t, "1")
	must(t, s.Add(t.Context(), order))
	made := errors.New("made by the test")
	_, err := s.Update(t.Context(), "1", func(o *domain.Order) error {
		o.Complete(noon)
		return made
	})
	if !errors.Is(err, made) {
		t.Errorf("error %v", err)
	}
	wantKept(t, s, order.Snapshot())
	if told := published(); len(told) != 1 {
		t.Errorf("told %v", told)
	}
	if _, err := s.Update(t.Context(), "2", func(*domain.Order) error { return nil }); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown order: %v", err)
	}
}

// changedAtOnce adds pieces from many sides at once; none is lost.
func changedAtOnce(t *testing.T, s *Store, _ func() []event.Event) {
	must(t, s.Add(t.Context(), domain.Draft("1", domain.Customer{ID: "c"}, noon)))
	const writers, times = 8, 5
	more := item(t, "p", "1.50", 1)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range times {
				if _, err := s.Update(t.Context(), "1", func(o *domain.Order) error { return o.AddItem(more) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got, err := s.Get(t.Context(), "1")
	must(t, err)
	if len(got.Items) != 1 || got.Items[0].Quantity != writers*times || got.Total.Amount() != "60.00" {
		t.Errorf("got %+v", got)
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
	must(t, s.Add(t.Context(), newOrder(t, "1")))
	if err := s.Add(t.Context(), newOrder(t, "1")); err == nil {
		t.Fatal("a second order of the same id was kept")
	}
	if got := published(); len(got) != 1 || got[0].Type() != api.OrderCreatedV1Type {
		t.Errorf("published %v, want one", got)
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

func settledOnce(t *testing.T, s *Store, published func() []event.Event) {
	must(t, s.Add(t.Context(), newOrder(t, "1")))
	at := noon.Add(time.Hour)
	changes := []func(*domain.Order) bool{
		func(o *domain.Order) bool { return o.Complete(at) },
		func(o *domain.Order) bool { return o.Cancel("no stock", at) },
	}
	var settled atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			isNew := false
			_, err := s.Update(t.Context(), "1", func(o *domain.Order) error {
				isNew = changes[i%2](o)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if isNew {
				settled.Add(1)
			}
		})
	}
	group.Wait()
	got, err := s.Get(t.Context(), "1")
	if err != nil || settled.Load() != 1 || got.Status == domain.Confirmed || !got.SettledAt.Equal(at) {
		t.Errorf("settled %d times, to %+v, %v", settled.Load(), got, err)
	}
	if told := published(); len(told) != 2 {
		t.Errorf("told %v", told)
	}
}

func settledOfBefore(t *testing.T, s *Store, _ func() []event.Event) {
	must(t, s.Add(t.Context(), newOrder(t, "1")))
	_, err := s.db.NewUpdate().Table("orders").Set("status = ?", "created").Set("confirmed_at = NULL").Where("id = ?", "1").Exec(t.Context())
	must(t, err)
	if got, err := s.Get(t.Context(), "1"); err != nil || got.Status != domain.Confirmed || !got.ConfirmedAt.Equal(noon) {
		t.Errorf("kept %+v, %v", got, err)
	}
	if listed, err := s.List(t.Context(), "c", domain.Confirmed, 1); err != nil || len(listed) != 1 {
		t.Errorf("listed %v, %v", listed, err)
	}
	got, err := s.Update(t.Context(), "1", func(o *domain.Order) error {
		if !o.Complete(noon) {
			t.Error("it is not settled")
		}
		return nil
	})
	must(t, err)
	wantKept(t, s, got)
}

func listed(t *testing.T, s *Store, _ func() []event.Event) {
	var want []domain.Snapshot
	for i, id := range []string{"3", "2", "1"} {
		order := domain.Restore(newOrder(t, id).Snapshot())
		is := order.Snapshot()
		is.CreatedAt = noon.Add(-time.Duration(i) * time.Minute)
		if id == "2" {
			is.Status = domain.Completed
		}
		want = append(want, is)
		must(t, s.Add(t.Context(), domain.Restore(is)))
	}
	unfinished := draft(t, "4", noon.Add(time.Hour))
	must(t, s.Add(t.Context(), unfinished))
	for _, test := range []struct {
		status domain.Status
		limit  int
		want   []domain.Snapshot
	}{
		{"", 2, want[:2]}, {"", 9, want}, {domain.Completed, 9, want[1:2]}, {domain.Confirmed, 9, []domain.Snapshot{want[0], want[2]}},
		{domain.Drafted, 9, []domain.Snapshot{unfinished.Snapshot()}}, {domain.Cancelled, 9, nil},
	} {
		got, err := s.List(t.Context(), "c", test.status, test.limit)
		must(t, err)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.status, diff)
		}
	}
	if none, err := s.List(t.Context(), "d", "", 2); err != nil || len(none) != 0 {
		t.Errorf("of another customer, %v, %v", none, err)
	}
	if n, err := s.Drafts(t.Context()); err != nil || n != 1 {
		t.Errorf("%d drafts, %v", n, err)
	}
}
