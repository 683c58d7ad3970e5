package store

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/catalog/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// conformance checks what the store promises on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *Store){
		"what is created is given again":              getsWhatWasCreated,
		"an unknown id is not found":                  getsNothingUnknown,
		"a sku is taken once":                         refusesATakenSKU,
		"a list goes on after an id":                  listsAfterAnID,
		"an update counts the version":                updateCountsTheVersion,
		"an update that cannot be is refused":         updateRefuses,
		"of many updates of a version one wins":       oneUpdateWins,
		"what is deleted is gone":                     deletes,
		"some are given in the order asked for":       givesSome,
		"a creation is kept with what is done for it": createsWithDone,
		"an import is given again":                    keepsImports,
		"a chunk is kept whole, and once":             advances,
		"of many who send a chunk one keeps it":       advancesOnce,
		"a chunk that fails leaves nothing":           advancesNothing,
		"an import that is complete does not move":    staysComplete,
		"rows are upserted by their skus":             upserts,
		"the same rows again change nothing":          upsertsNothing,
		"faults are kept up to a bound":               boundsFaults,
		"the guard is told before and after a change": guards,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if err := database.Migrate(t.Context(), db, migrations.FS); err != nil {
				t.Fatal(err)
			}
			test(t, New(db, nil))
		})
	}
}

func newProduct(id string) Product {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	return Product{
		ID: id, SKU: "sku-" + id, Name: "Tea", Description: "Green", Price: Price{Amount: "12.50", Currency: "EUR"},
		Version: 1, CreatedAt: at, UpdatedAt: at,
	}
}

func create(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := s.Create(t.Context(), newProduct(id), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func getsWhatWasCreated(t *testing.T, s *Store) {
	create(t, s, "1")
	got, err := s.Get(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(newProduct("1"), got); diff != "" {
		t.Error(diff)
	}
}

func getsNothingUnknown(t *testing.T, s *Store) {
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
}

func refusesATakenSKU(t *testing.T, s *Store) {
	create(t, s, "1")
	second := newProduct("2")
	second.SKU = "sku-1"
	if err := s.Create(t.Context(), second, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("error %v, want %v", err, ErrTaken)
	}
}

func listsAfterAnID(t *testing.T, s *Store) {
	create(t, s, "3", "1", "4", "2")
	products, err := s.List(t.Context(), "1", 2)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, product := range products {
		ids = append(ids, product.ID)
	}
	if want := []string{"2", "3"}; !slices.Equal(ids, want) {
		t.Errorf("ids %v, want %v", ids, want)
	}
}

func updateCountsTheVersion(t *testing.T, s *Store) {
	create(t, s, "1")
	change := newProduct("1")
	change.Name, change.Price.Amount = "Coffee", "9.99"
	got, err := s.Update(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	change.Version = 2
	if diff := cmp.Diff(change, got); diff != "" {
		t.Error(diff)
	}
}

func updateRefuses(t *testing.T, s *Store) {
	tests := map[string]struct {
		change func(*Product)
		want   error
	}{
		"an unknown id":          {func(p *Product) { p.ID, p.SKU = "9", "sku-9" }, ErrNotFound},
		"a sku of another":       {func(p *Product) { p.SKU = "sku-2" }, ErrTaken},
		"a version that is gone": {func(p *Product) { p.Version = 7 }, ErrChanged},
	}
	create(t, s, "1", "2")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			change := newProduct("1")
			test.change(&change)
			if _, err := s.Update(t.Context(), change); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func oneUpdateWins(t *testing.T, s *Store) {
	create(t, s, "1")
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { _, errs[i] = s.Update(t.Context(), newProduct("1")) })
	}
	wait.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrChanged):
			t.Errorf("error %v, want %v", err, ErrChanged)
		}
	}
	if won != 1 {
		t.Errorf("%d updates of one version were kept, want 1", won)
	}
}

func deletes(t *testing.T, s *Store) {
	create(t, s, "1", "2")
	for range 2 { // the second time there is nothing to remove
		if err := s.Delete(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
	if _, err := s.Get(t.Context(), "2"); err != nil {
		t.Errorf("the other product: %v", err)
	}
}
