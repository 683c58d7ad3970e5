package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/payments/migrations"
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
		if err := box.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return published.Events()
	}
}

func newItem(id string) Payment {
	return Payment{ID: id, Name: "Ada", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
}

func TestGetGivesWhatWasCreated(t *testing.T) {
	s, _ := newStore(t)
	want := newItem("1")
	if err := s.Create(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != want.Name || !got.CreatedAt.Equal(want.CreatedAt) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestGetOfAnUnknownID(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
}

func TestListGoesOnAfterAnID(t *testing.T) {
	s, _ := newStore(t)
	for _, id := range []string{"3", "1", "4", "2"} {
		if err := s.Create(t.Context(), newItem(id)); err != nil {
			t.Fatal(err)
		}
	}
	payments, err := s.List(t.Context(), "1", 2)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, payment := range payments {
		ids = append(ids, payment.ID)
	}
	if want := []string{"2", "3"}; !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
}

func TestEventsArePublishedOnlyWithTheirPayment(t *testing.T) {
	s, published := newStore(t)
	create := func(id string) (event.Event, error) {
		e, err := event.New("payment.processed.v1", id, map[string]string{"id": id})
		if err != nil {
			t.Fatal(err)
		}
		return e, s.Create(t.Context(), newItem(id), e)
	}
	kept, err := create("1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create("1"); err == nil {
		t.Fatal("a second payment of the same id was kept")
	}
	got := published()
	if len(got) != 1 || got[0].ID() != kept.ID() {
		t.Errorf("published %v, want only %v", got, kept)
	}
}
