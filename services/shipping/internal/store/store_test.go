package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/shipping/internal/domain"
	"github.com/trellis-mesh/trellis/services/shipping/internal/store"
	"github.com/trellis-mesh/trellis/services/shipping/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// opener gives a test an empty database. Where transactions can lose against each other, each is run once: the store lets none.
type opener func(*testing.T) *database.DB

// conformance is what the store does on every kind of database.
func conformance(t *testing.T, open opener) {
	for _, c := range []struct {
		name string
		test func(*testing.T, lab)
	}{
		{"a shipment is given as it was arranged", arranged},
		{"what is not arranged is not found", notFound},
		{"a cancellation that comes first is remembered", cancelFirst},
		{"a transaction may promise again after an abort", promiseAgain},
		{"a change is part of the transaction that is under way", joins},
		{"who hears of an order at the same time waits for the other", sameOrder},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			if err := database.Migrate(t.Context(), db, migrations.FS); err != nil {
				t.Fatal(err)
			}
			c.test(t, lab{store.New(db), db})
		})
	}
}

// lab is a store, and the database below it.
type lab struct {
	*store.Store
	db *database.DB
}

var parcel = domain.Parcel{CustomerID: "ada", Address: "Main Street 1", Lines: []domain.Line{{ProductID: "tea", Quantity: 2}}}

// tell gives a shipment a message and expects the state after it.
func (l lab) tell(t *testing.T, order string, m domain.Message, want domain.State) domain.Shipment {
	t.Helper()
	got, _, err := l.Handle(t.Context(), order, m, parcel)
	if err != nil || got.State != want {
		t.Fatalf("%s: %v and %v, want %s", m, got, err, want)
	}
	return got
}

func arranged(t *testing.T, l lab) {
	first := l.tell(t, "1", domain.Arrange, domain.Arranged)
	want := domain.Shipment{OrderID: "1", State: domain.Arranged, Parcel: parcel}
	if diff := cmp.Diff(want, first, cmpopts.IgnoreFields(want, "ID", "CreatedAt")); diff != "" {
		t.Error(diff)
	}
	if first.ID == "" || time.Since(first.CreatedAt) > time.Minute {
		t.Errorf("arranged %v", first)
	}
	if again, changed, err := l.Handle(t.Context(), "1", domain.Arrange, parcel); err != nil || changed || again.ID != first.ID {
		t.Errorf("again: %v, changed %v and %v", again, changed, err)
	}
	got, err := l.Get(t.Context(), "1")
	if diff := cmp.Diff(first, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	l.tell(t, "1", domain.Cancel, domain.Cancelled)
	first.State = domain.Cancelled
	got, err = l.Get(t.Context(), "1")
	if diff := cmp.Diff(first, got); err != nil || diff != "" {
		t.Errorf("cancelled: %v %s", err, diff)
	}
}

func notFound(t *testing.T, l lab) {
	l.tell(t, "promised", domain.Promise, domain.Promised)
	l.tell(t, "aborted", domain.Promise, domain.Promised)
	l.tell(t, "aborted", domain.Abort, domain.Absent)
	l.tell(t, "never", domain.Withdraw, domain.Cancelled)
	for _, order := range []string{"unknown", "promised", "aborted", "never"} {
		if got, err := l.Get(t.Context(), order); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v and %v, want %v", order, got, err, store.ErrNotFound)
		}
	}
}

func cancelFirst(t *testing.T, l lab) {
	for order, m := range map[string]domain.Message{"1": domain.Withdraw, "2": domain.Cancel} {
		l.tell(t, order, m, domain.Cancelled)
		if got, _, err := l.Handle(t.Context(), order, domain.Arrange, parcel); !errors.Is(err, domain.ErrCancelled) {
			t.Errorf("%s: %v and %v, want %v", m, got, err, domain.ErrCancelled)
		}
	}
}

func promiseAgain(t *testing.T, l lab) {
	first := l.tell(t, "1", domain.Promise, domain.Promised)
	l.tell(t, "1", domain.Abort, domain.Absent)
	second := l.tell(t, "1", domain.Promise, domain.Promised)
	l.tell(t, "1", domain.Commit, domain.Arranged)
	if got, err := l.Get(t.Context(), "1"); err != nil || got.ID != second.ID || got.ID == first.ID {
		t.Errorf("%v and %v, want id %s", got, err, second.ID)
	}
}

func joins(t *testing.T, l lab) {
	undo := errors.New("undo")
	err := l.db.InTx(t.Context(), func(ctx context.Context, _ bun.Tx) error {
		if _, _, err := l.Handle(ctx, "1", domain.Arrange, parcel); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	if got, err := l.Get(t.Context(), "1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v and %v, want %v", got, err, store.ErrNotFound)
	}
}

func sameOrder(t *testing.T, l lab) {
	told := []domain.Message{domain.Complete, domain.Arrange, domain.Complete, domain.Arrange, domain.Complete}
	for order := range 20 {
		var mu sync.Mutex
		var group sync.WaitGroup
		start, ids, confirmed := make(chan struct{}), map[string]bool{}, 0
		for _, m := range told {
			group.Go(func() {
				<-start
				got, changed, err := l.Handle(t.Context(), fmt.Sprint(order), m, parcel)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("order %d: %s: %v", order, m, err)
				}
				ids[got.ID] = true
				if m == domain.Complete && changed {
					confirmed++
				}
			})
		}
		close(start)
		group.Wait()
		if len(ids) != 1 || confirmed != 1 {
			t.Errorf("order %d: %d shipments, %d times confirmed", order, len(ids), confirmed)
		}
	}
}
