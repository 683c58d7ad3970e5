package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func begin(t *testing.T, s *Store) Import {
	t.Helper()
	begun := Import{ID: "i", Status: Open, Place: Place{Line: 1}, CreatedAt: at, UpdatedAt: at}
	if err := s.CreateImport(t.Context(), begun, nil); err != nil {
		t.Fatal(err)
	}
	return begun
}

// chunk goes from one offset to another and has a product for each sku.
func chunk(from, to int64, skus ...string) Chunk {
	c := Chunk{From: Place{Offset: from, Line: 1}, To: Place{Offset: to, Line: to, Mode: 2, Columns: "sku,name"}, At: at.Add(time.Hour)}
	for i, sku := range skus {
		p := newProduct(fmt.Sprintf("%d-%d", from, i))
		p.SKU, p.UpdatedAt = sku, c.At
		c.Products = append(c.Products, p)
	}
	return c
}

func advance(t *testing.T, s *Store, c Chunk) Import {
	t.Helper()
	advanced, err := s.Advance(t.Context(), "i", c)
	if err != nil {
		t.Fatal(err)
	}
	return advanced
}

// bySKU are the products that there are.
func bySKU(t *testing.T, s *Store) map[string]Product {
	t.Helper()
	all, err := s.List(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Product{}
	for _, p := range all {
		found[p.SKU] = p
	}
	if len(found) != len(all) {
		t.Errorf("%d products have %d skus", len(all), len(found))
	}
	return found
}

func givesSome(t *testing.T, s *Store) {
	create(t, s, "1", "2", "3")
	some, err := s.Some(t.Context(), []string{"3", "gone", "1"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Product{newProduct("3"), newProduct("1")}, some); diff != "" {
		t.Error(diff)
	}
}

func createsWithDone(t *testing.T, s *Store) {
	refused := errors.New("refused")
	if err := s.Create(t.Context(), newProduct("1"), func(context.Context, bun.Tx) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was not done for has been kept: %v", err)
	}
}

func keepsImports(t *testing.T, s *Store) {
	want := begin(t, s)
	got, err := s.Import(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Import(t.Context(), "other"); !errors.Is(err, ErrNoImport) {
		t.Errorf("error %v, want %v", err, ErrNoImport)
	}
}

func advances(t *testing.T, s *Store) {
	begin(t, s)
	c := chunk(0, 100, "a", "b")
	c.Faults = []Fault{{Line: 3, Field: "price", Detail: "is no amount"}, {Line: 5, Detail: "has 4 fields"}}
	want := Import{ID: "i", Status: Open, Place: c.To, Imported: 2, Failed: 2, CreatedAt: at, UpdatedAt: c.At}
	if diff := cmp.Diff(want, advance(t, s, c)); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Advance(t.Context(), "i", c); !errors.Is(err, ErrMoved) {
		t.Errorf("the chunk was taken twice: %v", err)
	}
	faults, err := s.Faults(t.Context(), "i", 3, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Fault{{ImportID: "i", Line: 5, Detail: "has 4 fields"}}, faults); diff != "" {
		t.Error(diff)
	}
}

func advancesOnce(t *testing.T, s *Store) {
	begin(t, s)
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() {
			c := chunk(0, 100, "a", "b")
			c.Products[0].ID, c.Products[1].ID = fmt.Sprint("a", i), fmt.Sprint("b", i)
			c.Faults = []Fault{{Line: 3, Detail: "bad"}}
			_, errs[i] = s.Advance(t.Context(), "i", c)
		})
	}
	wait.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrMoved) {
			t.Errorf("error %v, want %v", err, ErrMoved)
		}
	}
	kept, err := s.Import(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	if won != 1 || kept.Imported != 2 || kept.Failed != 1 || len(bySKU(t, s)) != 2 {
		t.Errorf("%d kept the chunk; the import is %+v", won, kept)
	}
}

func advancesNothing(t *testing.T, s *Store) {
	want := begin(t, s)
	c := chunk(0, 100, "a")
	c.Faults = []Fault{{Line: 3}, {Line: 3}} // which cannot be
	if _, err := s.Advance(t.Context(), "i", c); err == nil || errors.Is(err, ErrMoved) {
		t.Errorf("error %v", err)
	}
	got, err := s.Import(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(bySKU(t, s)) != 0 {
		t.Errorf("something was kept: %s", diff)
	}
}

func staysComplete(t *testing.T, s *Store) {
	begin(t, s)
	last := chunk(0, 0, "a")
	last.Complete = true
	if got := advance(t, s, last); got.Status != Complete {
		t.Errorf("status %q", got.Status)
	}
	if _, err := s.Advance(t.Context(), "i", chunk(0, 0, "b")); !errors.Is(err, ErrMoved) {
		t.Errorf("error %v, want %v", err, ErrMoved)
	}
}

func upserts(t *testing.T, s *Store) {
	create(t, s, "1", "2") // with the skus sku-1 and sku-2
	begin(t, s)
	c := chunk(0, 100, "sku-2", "new", "sku-2", "new")
	c.Products[2].Name, c.Products[3].Price.Amount = "Coffee", "1"
	advance(t, s, c)
	kept := bySKU(t, s)
	want := newProduct("2")
	want.Name, want.Version, want.UpdatedAt = "Coffee", 2, c.At
	if diff := cmp.Diff(want, kept["sku-2"]); diff != "" {
		t.Errorf("changed: %s", diff)
	}
	if diff := cmp.Diff(newProduct("1"), kept["sku-1"]); diff != "" {
		t.Errorf("not mentioned: %s", diff)
	}
	if diff := cmp.Diff(c.Products[3], kept["new"]); diff != "" || len(kept) != 3 {
		t.Errorf("new, of %d: %s", len(kept), diff)
	}
}

func upsertsNothing(t *testing.T, s *Store) {
	create(t, s, "1")
	begin(t, s)
	if got := advance(t, s, chunk(0, 100, "sku-1")); got.Imported != 1 {
		t.Errorf("imported %d", got.Imported)
	}
	if diff := cmp.Diff(newProduct("1"), bySKU(t, s)["sku-1"]); diff != "" {
		t.Error(diff)
	}
}

func boundsFaults(t *testing.T, s *Store) {
	begin(t, s)
	line := int64(0)
	for i := range int64(3) {
		c := chunk(i, i+1)
		for range MaxFaults/2 - 100 {
			line++
			c.Faults = append(c.Faults, Fault{Line: line, Detail: "bad"})
		}
		advance(t, s, c)
	}
	kept, err := s.Import(t.Context(), "i")
	if err != nil {
		t.Fatal(err)
	}
	faults, err := s.Faults(t.Context(), "i", 0, 2*MaxFaults)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Failed != line || len(faults) != MaxFaults || faults[MaxFaults-1].Line != MaxFaults {
		t.Errorf("%d failed, of which %d are kept", kept.Failed, len(faults))
	}
}

// witness is a guard that looks at the database when it is called.
type witness struct {
	t    *testing.T
	s    *Store
	seen []string
}

func (w *witness) Hold(_ context.Context, ids []string)    { w.note("hold", ids) }
func (w *witness) Release(_ context.Context, ids []string) { w.note("release", ids) }

// note reads outside the transaction, from which only what is committed can be seen.
func (w *witness) note(what string, ids []string) {
	product, err := w.s.Get(context.WithoutCancel(w.t.Context()), ids[0])
	if err != nil && !errors.Is(err, ErrNotFound) {
		w.t.Error(err)
	}
	w.seen = append(w.seen, fmt.Sprint(what, " ", ids, " version ", product.Version))
}

func guards(t *testing.T, s *Store) {
	create(t, s, "1", "2")
	begin(t, s)
	w := &witness{t: t, s: New(s.db, nil)}
	s.guard = w
	if _, err := s.Update(t.Context(), newProduct("1")); err != nil {
		t.Fatal(err)
	}
	c := chunk(0, 100, "sku-1", "sku-2", "new")
	c.Products[0].Name = "Coffee"
	advance(t, s, c)
	if err := s.Delete(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	stale := newProduct("2")
	stale.Version = 7
	if _, err := s.Update(t.Context(), stale); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	want := []string{
		"hold [1] version 1", "release [1] version 2",
		"hold [1] version 2", "release [1] version 3",
		"hold [1] version 3", "release [1] version 0",
	}
	if !slices.Equal(w.seen, want) {
		t.Errorf("the guard saw %q, want %q", w.seen, want)
	}
}
