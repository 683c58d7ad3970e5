package store_test

import (
	"testing"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/inventory/internal/domain"
	"github.com/trellis-mesh/trellis/services/inventory/internal/store"
	"github.com/trellis-mesh/trellis/services/inventory/migrations"
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
		{"stock that nobody has set is zero", unsetStock},
		{"stock is set, but not below what is reserved", setStock},
		{"the database itself refuses more reserved than there is", refusedByTheDatabase},
		{"a reservation is of all lines or of none", allOrNothing},
		{"a reservation comes and goes with its stock", comesAndGoes},
		{"a release that comes first is remembered", releaseFirst},
		{"a transaction may promise again after an abort", promiseAgain},
		{"a change is part of the transaction that is under way", joins},
		{"who hears of an order at the same time waits for the other", sameOrder},
		{"nothing is oversold when many reserve at once", manyAtOnce},
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

func (l lab) set(t *testing.T, product string, onHand int) {
	t.Helper()
	if _, err := l.SetStock(t.Context(), product, onHand); err != nil {
		t.Fatal(err)
	}
}

// tell gives a reservation a message and expects the state after it.
func (l lab) tell(t *testing.T, order string, m domain.Message, want domain.State, lines ...domain.Line) {
	t.Helper()
	if got, _, err := l.Handle(t.Context(), order, m, lines...); err != nil || got.State != want {
		t.Fatalf("%s: %v and %v, want %s", m, got, err, want)
	}
}

// expect compares a product's stock.
func (l lab) expect(t *testing.T, product string, onHand, reserved int) {
	t.Helper()
	got, err := l.Stock(t.Context(), product)
	if want := (domain.Stock{ProductID: product, OnHand: onHand, Reserved: reserved}); err != nil || got != want {
		t.Errorf("stock %v and %v, want %v", got, err, want)
	}
}
