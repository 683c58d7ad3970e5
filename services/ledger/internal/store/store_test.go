package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/ledger/migrations"
)

// newStore is a store on a database of the test's own.
func newStore(t *testing.T) *Store {
	t.Helper()
	return New(databasetest.New(t, migrations.FS))
}

func newItem(id string) Account {
	return Account{ID: id, Name: "Ada", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
}

func TestGetGivesWhatWasCreated(t *testing.T) {
	s := newStore(t)
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
	s := newStore(t)
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
}

func TestListGoesOnAfterAnID(t *testing.T) {
	s := newStore(t)
	for _, id := range []string{"3", "1", "4", "2"} {
		if err := s.Create(t.Context(), newItem(id)); err != nil {
			t.Fatal(err)
		}
	}
	accounts, err := s.List(t.Context(), "1", 2)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, account := range accounts {
		ids = append(ids, account.ID)
	}
	if want := []string{"2", "3"}; !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
}
