package monolith

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/legacy/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, migrations.FS) })
}

// conformance checks what the store promises on every kind of database.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *Store){
		"what is put is given again":                    keeps,
		"the same again changes nothing":                keepsTheSame,
		"a change is a new revision":                    changes,
		"many at once leave one product":                changesAtOnce,
		"an unknown id is not found":                    unknown,
		"pages are in the order of the ids' bytes":      pages,
		"the suppliers are there, on pages, and by ids": suppliers,
	} {
		t.Run(name, func(t *testing.T) { test(t, New(open(t))) })
	}
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func product(id string) Product {
	return Product{ID: id, Code: "C-" + id, Title: "Cup", LongText: "Holds tea.", PriceCents: 1999, Currency: "EUR"}
}

func put(t *testing.T, s *Store, p Product, at time.Time) Product {
	t.Helper()
	kept, err := s.PutProduct(t.Context(), p, at)
	if err != nil {
		t.Fatal(err)
	}
	kept.EnteredAt, kept.ChangedAt = kept.EnteredAt.UTC(), kept.ChangedAt.UTC()
	return kept
}

func keeps(t *testing.T, s *Store) {
	want := product("1")
	want.Revision, want.EnteredAt, want.ChangedAt = 1, at, at
	if diff := cmp.Diff(want, put(t, s, product("1"), at)); diff != "" {
		t.Error(diff)
	}
	got, err := s.Product(t.Context(), "1")
	if err != nil || got.Title != "Cup" || got.PriceCents != 1999 || !got.EnteredAt.Equal(at) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func keepsTheSame(t *testing.T, s *Store) {
	first := put(t, s, product("1"), at)
	if diff := cmp.Diff(first, put(t, s, product("1"), at.Add(time.Hour))); diff != "" {
		t.Error(diff)
	}
}

func changes(t *testing.T, s *Store) {
	put(t, s, product("1"), at)
	for i, change := range []func(*Product){
		func(p *Product) { p.Code = "D" }, func(p *Product) { p.Title = "Mug" }, func(p *Product) { p.LongText = "" },
		func(p *Product) { p.PriceCents = 5 }, func(p *Product) { p.Currency = "USD" },
	} {
		want, later := product("1"), at.Add(time.Duration(i+1)*time.Hour)
		change(&want)
		got := put(t, s, want, later)
		want.Revision, want.EnteredAt, want.ChangedAt = i+2, at, later
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func changesAtOnce(t *testing.T, s *Store) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			p := product("1")
			p.PriceCents = int64(i)
			if _, err := s.PutProduct(t.Context(), p, at); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got, err := s.Product(t.Context(), "1")
	if err != nil || got.Revision != 8 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func unknown(t *testing.T, s *Store) {
	if _, err := s.Product(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Supplier(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func pages(t *testing.T, s *Store) {
	for _, id := range []string{"b", "B", "a-2", "a1", "_", "ä", "A"} { // a dictionary has another order
		put(t, s, product(id), at)
	}
	var got [][]string
	for page := 1; page <= 4; page++ {
		products, total, err := s.Products(t.Context(), page, 3)
		if err != nil || total != 7 {
			t.Fatalf("page %d of %d: %v", page, total, err)
		}
		ids := []string{}
		for _, p := range products {
			ids = append(ids, p.ID)
		}
		got = append(got, ids)
	}
	if diff := cmp.Diff([][]string{{"A", "B", "_"}, {"a-2", "a1", "b"}, {"ä"}, {}}, got); diff != "" {
		t.Error(diff)
	}
}

func suppliers(t *testing.T, s *Store) {
	seen := 0
	for page := 1; page <= 4; page++ {
		got, total, err := s.Suppliers(t.Context(), page, 6)
		if err != nil || total != 20 {
			t.Fatalf("page %d of %d: %v", page, total, err)
		}
		for _, one := range got {
			seen++
			if want := "sup-0" + strconv.Itoa(100 + seen)[1:]; one.ID != want {
				t.Errorf("supplier %d is %s, want %s", seen, one.ID, want)
			}
		}
	}
	if seen != 20 {
		t.Errorf("%d suppliers on all pages", seen)
	}
	got, err := s.Supplier(t.Context(), "sup-012")
	if want := (Supplier{ID: "sup-012", Company: "L'Atelier du Lin", City: "Lille"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
}
