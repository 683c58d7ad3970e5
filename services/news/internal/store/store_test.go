package store

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/news/internal/domain"
	"github.com/trellis-mesh/trellis/services/news/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// conformance checks what the store promises on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(*testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *Store){
		"what is offered again is kept once":              keepsOnce,
		"a text is brought up to date, a date is not":     updates,
		"the same articles at once are counted once":      keepsOnceOfMany,
		"pages go through all articles, the latest first": pages,
		"a list is of one source":                         listsASource,
		"what nobody offers any more is dropped":          drops,
		"what is too much of a source is dropped":         crops,
		"of many that claim a slot at once one gets it":   claimsOnceOfMany,
		"a slot is anybody's when its lease is over":      claimsWhatWasLeft,
		"a finished slot is nobody's":                     finishes,
		"a released slot is anybody's":                    releases,
		"a lost claim can do nothing":                     losesClaims,
		"slots are forgotten":                             forgets,
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if err := database.Migrate(t.Context(), db, migrations.FS); err != nil {
				t.Fatal(err)
			}
			test(t, New(db))
		})
	}
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// article of a source came out so many minutes after noon.
func article(source string, n int) domain.Article {
	return domain.Article{
		ID: domain.ID(source, fmt.Sprint(n)), Source: source, Title: fmt.Sprintf("title %d", n), Link: fmt.Sprintf("https://example.com/%d", n),
		Summary: "summary", PublishedAt: noon.Add(time.Duration(n) * time.Minute),
	}
}

func articles(source string, from, to int) (all []domain.Article) {
	for n := from; n < to; n++ {
		all = append(all, article(source, n))
	}
	return all
}

func keep(t *testing.T, s *Store, at time.Time, want int, all ...domain.Article) {
	t.Helper()
	added, err := s.Keep(t.Context(), all, at)
	if err != nil {
		t.Fatal(err)
	}
	if added != want {
		t.Errorf("%d articles are new, want %d", added, want)
	}
}

func list(t *testing.T, s *Store, source string, after *Place, limit int) []domain.Article {
	t.Helper()
	all, err := s.List(t.Context(), source, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func keepsOnce(t *testing.T, s *Store) {
	keep(t, s, noon, 0)
	keep(t, s, noon, 2, article("shop", 1), article("shop", 2), article("shop", 1))
	keep(t, s, noon, 1, article("shop", 2), article("shop", 3))
	keep(t, s, noon, 0, article("shop", 3), article("shop", 1))
	keep(t, s, noon, 1, article("city", 1))
	want := []domain.Article{article("shop", 3), article("shop", 2), article("shop", 1)}
	if diff := cmp.Diff(want, list(t, s, "shop", nil, 10)); diff != "" {
		t.Errorf("articles (-want +got):\n%s", diff)
	}
}

func updates(t *testing.T, s *Store) {
	keep(t, s, noon, 1, article("shop", 1))
	want := article("shop", 1)
	want.Title, want.Link, want.Summary = "new title", "https://example.com/new", "new summary"
	said := want
	said.PublishedAt = noon.Add(time.Hour)
	keep(t, s, noon, 0, said)
	if diff := cmp.Diff([]domain.Article{want}, list(t, s, "", nil, 10)); diff != "" {
		t.Errorf("articles (-want +got):\n%s", diff)
	}
}

func keepsOnceOfMany(t *testing.T, s *Store) {
	var added atomic.Int64
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			all := articles("shop", 0, 40)
			if i%2 == 1 {
				slices.Reverse(all)
			}
			n, err := s.Keep(t.Context(), all, noon)
			if err != nil {
				t.Error(err)
			}
			added.Add(int64(n))
		})
	}
	group.Wait()
	if got := added.Load(); got != 40 {
		t.Errorf("%d articles were counted as new, want 40", got)
	}
}

func pages(t *testing.T, s *Store) {
	all := articles("shop", 0, 7)
	all[3].PublishedAt, all[4].PublishedAt = all[2].PublishedAt, all[2].PublishedAt // the page ends among equals
	all[5].PublishedAt = all[5].PublishedAt.Add(500 * time.Microsecond)
	keep(t, s, noon, 7, all...)
	want := slices.SortedFunc(slices.Values(all), func(a, b domain.Article) int {
		if by := b.PublishedAt.Compare(a.PublishedAt); by != 0 {
			return by
		}
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
	for size := 1; size <= 8; size++ {
		var got []domain.Article
		var after *Place
		for range len(all) + 1 {
			page := list(t, s, "", after, size)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			last := page[len(page)-1]
			after = &Place{PublishedAt: last.PublishedAt, ID: last.ID}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
}

func listsASource(t *testing.T, s *Store) {
	keep(t, s, noon, 2, article("shop", 1), article("city", 2))
	if diff := cmp.Diff([]domain.Article{article("shop", 1)}, list(t, s, "shop", nil, 10)); diff != "" {
		t.Errorf("articles (-want +got):\n%s", diff)
	}
	if got := list(t, s, "nobody", nil, 10); len(got) != 0 {
		t.Errorf("a source that is not known has %v", got)
	}
}

func drops(t *testing.T, s *Store) {
	keep(t, s, noon, 4, articles("shop", 0, 4)...)
	keep(t, s, noon.Add(time.Hour), 0, article("shop", 2)) // still offered
	for _, want := range []int{2, 1, 0} {
		if n, err := s.Drop(t.Context(), noon.Add(time.Minute), 2); err != nil || n != want {
			t.Errorf("dropped %d, want %d: %v", n, want, err)
		}
	}
	if diff := cmp.Diff([]domain.Article{article("shop", 2)}, list(t, s, "", nil, 10)); diff != "" {
		t.Errorf("articles (-want +got):\n%s", diff)
	}
}

func crops(t *testing.T, s *Store) {
	keep(t, s, noon, 6, append(articles("shop", 0, 5), article("city", 0))...)
	for _, want := range []int{2, 1, 0} {
		if n, err := s.Crop(t.Context(), "shop", 2, 2); err != nil || n != want {
			t.Errorf("cropped %d, want %d: %v", n, want, err)
		}
	}
	want := []domain.Article{article("shop", 4), article("shop", 3)}
	if diff := cmp.Diff(want, list(t, s, "shop", nil, 10)); diff != "" {
		t.Errorf("articles (-want +got):\n%s", diff)
	}
	if got := list(t, s, "city", nil, 10); len(got) != 1 {
		t.Errorf("the other source has %d articles, want 1", len(got))
	}
}

// claim claims a slot for a minute.
func claim(t *testing.T, s *Store, slot, name string, at time.Time, want bool) {
	t.Helper()
	got, err := s.Claim(t.Context(), slot, name, at, at.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("%s gets %s: %v, want %v", name, slot, got, want)
	}
}

func claimsOnceOfMany(t *testing.T, s *Store) {
	for _, slot := range []string{"new", "left"} {
		if slot == "left" {
			claim(t, s, slot, "dead", noon.Add(-time.Hour), true)
		}
		var won atomic.Int64
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				mine, err := s.Claim(t.Context(), slot, fmt.Sprint(i), noon, noon.Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				if mine {
					won.Add(1)
				}
			})
		}
		group.Wait()
		if got := won.Load(); got != 1 {
			t.Errorf("%d got the %s slot, want 1", got, slot)
		}
	}
}

func claimsWhatWasLeft(t *testing.T, s *Store) {
	claim(t, s, "hour", "dead", noon, true)
	claim(t, s, "hour", "early", noon.Add(time.Minute-time.Microsecond), false)
	claim(t, s, "hour", "second", noon.Add(time.Minute), true)
	claim(t, s, "hour", "late", noon.Add(time.Minute), false)
	claim(t, s, "next hour", "late", noon, true)
}

func finishes(t *testing.T, s *Store) {
	claim(t, s, "hour", "first", noon, true)
	if err := s.Finish(t.Context(), "hour", "first", noon); err != nil {
		t.Fatal(err)
	}
	claim(t, s, "hour", "second", noon.Add(time.Hour), false)
}

func releases(t *testing.T, s *Store) {
	claim(t, s, "hour", "first", noon, true)
	if err := s.Release(t.Context(), "hour", "first"); err != nil {
		t.Fatal(err)
	}
	claim(t, s, "hour", "second", noon, true)
}

func losesClaims(t *testing.T, s *Store) {
	claim(t, s, "hour", "slow", noon, true)
	claim(t, s, "hour", "second", noon.Add(time.Minute), true)
	if err := s.Release(t.Context(), "hour", "slow"); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(t.Context(), "hour", "slow", noon); err != nil {
		t.Fatal(err)
	}
	claim(t, s, "hour", "third", noon.Add(time.Minute), false)  // it was not released
	claim(t, s, "hour", "third", noon.Add(2*time.Minute), true) // nor finished
}

func forgets(t *testing.T, s *Store) {
	claim(t, s, "old", "first", noon, true)
	claim(t, s, "new", "first", noon.Add(time.Hour), true)
	if err := s.Finish(t.Context(), "old", "first", noon); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context(), noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	claim(t, s, "old", "second", noon.Add(time.Hour), true)
	claim(t, s, "new", "second", noon.Add(time.Hour), false)
}
