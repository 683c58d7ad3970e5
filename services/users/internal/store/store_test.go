package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/services/users/migrations"
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

func newUser(id string) User {
	return User{ID: id, Email: "ada-" + id + "@example.com", Name: "Ada", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
}

func TestGetGivesWhatWasCreated(t *testing.T) {
	s, _ := newStore(t)
	want := newUser("1")
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

func TestEventsArePublishedOnlyWithTheirUser(t *testing.T) {
	s, published := newStore(t)
	create := func(id string) (event.Event, error) {
		e, err := event.New("user.created.v1", id, map[string]string{"id": id})
		if err != nil {
			t.Fatal(err)
		}
		return e, s.Create(t.Context(), newUser(id), e)
	}
	kept, err := create("1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create("1"); err == nil {
		t.Fatal("a second user of the same id was kept")
	}
	got := published()
	if len(got) != 1 || got[0].ID() != kept.ID() {
		t.Errorf("published %v, want only %v", got, kept)
	}
}

func TestCreateRefusesAnAddressThatIsTaken(t *testing.T) {
	s, published := newStore(t)
	if err := s.Create(t.Context(), newUser("1")); err != nil {
		t.Fatal(err)
	}
	second := newUser("2")
	second.Email = newUser("1").Email
	e, err := event.New("user.created.v1", "2", map[string]string{"id": "2"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), second, e); !errors.Is(err, ErrTaken) {
		t.Errorf("error %v, want %v", err, ErrTaken)
	}
	if got := published(); len(got) != 0 {
		t.Errorf("published %v of a user that is not kept", got)
	}
}
