package shard_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/chassis/shard"
)

const users = 100_000

// homes gives each user's shard, as a new layout over the shards has it.
func homes(t *testing.T, s shard.Strategy, shards []string, by func(n int) string) []string {
	t.Helper()
	of := map[string]string{}
	for _, partition := range s.Partitions() {
		home, err := s.Home(partition, shards)
		if err != nil {
			t.Fatal(err)
		}
		of[partition] = home
	}
	all := make([]string, users)
	for n := range all {
		partition, err := s.Partition(by(n))
		if err != nil || of[partition] == "" {
			t.Fatalf("user %d is in partition %q, %v", n, partition, err)
		}
		all[n] = of[partition]
	}
	return all
}

func counts(all []string) map[string]int {
	of := map[string]int{}
	for _, s := range all {
		of[s]++
	}
	return of
}

func TestHashSpreadsEvenlyAndANewShardTakesItsPart(t *testing.T) {
	s := shard.Hash(1024)
	id := func(n int) string { return fmt.Sprintf("user-%d", n) }
	three := homes(t, s, []string{"s1", "s2", "s3"}, id)
	for name, n := range counts(three) {
		if n < 28_000 || n > 39_000 {
			t.Errorf("%s has %d of %d", name, n, users)
		}
	}
	four := homes(t, s, []string{"s1", "s2", "s3", "s4"}, id)
	moved := 0
	for n := range four {
		if four[n] == three[n] {
			continue
		}
		if moved++; four[n] != "s4" {
			t.Fatalf("user %d moved from %s to %s, an old shard", n, three[n], four[n])
		}
	}
	if moved < users/5 || moved > users*3/10 {
		t.Errorf("%d of %d moved, want 20 to 30 %%", moved, users)
	}
	if !slices.Equal(homes(t, s, []string{"s4", "s2", "s1", "s3"}, id), four) {
		t.Error("the order of the shards matters")
	}
	t.Logf("%v, and %.1f %% move to a fourth shard", counts(three), float64(moved)/users*100)
}

func letters(t testing.TB) shard.Strategy {
	t.Helper()
	s, err := shard.Ranges(shard.Span{From: "", Shard: "s1"}, shard.Span{From: "i", Shard: "s2"}, shard.Span{From: "q", Shard: "s3"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryNameHasItsRange(t *testing.T) {
	s := letters(t)
	for name, want := range map[string]string{
		"Adam": "s1", "adam": "s1", "Hugo": "s1", "Ida": "s2", "Paul": "s2", "Quentin": "s3", "Zoe": "s3", "zoe": "s3",
		"Ärger": "s1", "Émile": "s1", "Özil": "s2", "Øre": "s2", "Ünal": "s3", "ßeta": "s3", "Łukasz": "s2", "Þór": "s3", "ﬁna": "s1",
		"007": "s1", "": "s1", "  paul": "s2", "_x": "s1", "~": "s3", "{": "s3", "Жанна": "s3", "李": "s3", "😀": "s3", "\xff": "s3", "Ålesund": "s1",
	} {
		partition, err := s.Partition(name)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if !slices.Contains(s.Partitions(), partition) {
			t.Errorf("%q is in partition %q, which is none", name, partition)
		}
		if got, err := s.Home(partition, []string{"s1", "s2", "s3"}); err != nil || got != want {
			t.Errorf("%q is on %s, %v; want %s", name, got, err, want)
		}
	}
	names := homes(t, s, []string{"s1", "s2", "s3"}, func(n int) string { return string(rune('A'+n%26)) + fmt.Sprint(n) })
	if got := counts(names); got["s1"] != 30_772 || got["s2"] != 30_768 || got["s3"] != 38_460 {
		t.Errorf("%v", got)
	}
}

func TestRangesThatLeaveAGapAreRefused(t *testing.T) {
	for name, spans := range map[string][]shard.Span{
		"none": {}, "no beginning": {{From: "b", Shard: "s1"}}, "no shard": {{}},
		"no order": {{Shard: "s1"}, {From: "q", Shard: "s2"}, {From: "i", Shard: "s3"}}, "twice": {{Shard: "s1"}, {From: "i", Shard: "s2"}, {From: "i", Shard: "s3"}},
		"capital": {{Shard: "s1"}, {From: "I", Shard: "s2"}}, "word": {{Shard: "s1"}, {From: "in", Shard: "s2"}},
	} {
		if _, err := shard.Ranges(spans...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func regions() shard.Strategy {
	return shard.Regions(map[string]string{"US": "s1", "EU": "s2", "ASIA": "s3"})
}

func TestAnUnknownRegionIsRefused(t *testing.T) {
	s := regions()
	for _, region := range []string{"MARS", "", "eu"} {
		if _, err := s.Partition(region); !errors.Is(err, shard.ErrUnknownRegion) || !strings.Contains(err.Error(), "there are ASIA, EU, US") {
			t.Errorf("%q: %v", region, err)
		}
	}
	got := counts(homes(t, s, []string{"s1", "s2", "s3"}, func(n int) string { return []string{"US", "EU", "ASIA", "EU"}[n%4] }))
	if got["s1"] != 25_000 || got["s2"] != 50_000 || got["s3"] != 25_000 {
		t.Errorf("%v", got)
	}
}

// FuzzRanges: every name is in a partition that there is, and the partitions are in the order of sort keys.
func FuzzRanges(f *testing.F) {
	f.Add("Ärger", "zoe")
	f.Add("\xff", "{")
	f.Fuzz(func(t *testing.T, a, b string) {
		s := letters(t)
		at := func(name string) int {
			partition, err := s.Partition(name)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Index(s.Partitions(), partition)
		}
		if at(a) < 0 || at(b) < 0 {
			t.Fatalf("%q or %q is nowhere", a, b)
		}
		if strings.Compare(shard.SortKey(a), shard.SortKey(b)) < 0 && at(a) > at(b) {
			t.Fatalf("%q sorts before %q and is in a later partition", a, b)
		}
	})
}

// FuzzCursor: what comes from outside is read or refused.
func FuzzCursor(f *testing.F) {
	f.Add(shard.EncodeCursor("a", "b"))
	f.Fuzz(func(t *testing.T, text string) {
		values, err := shard.DecodeCursor(text, 2)
		if err != nil {
			return
		}
		again, err := shard.DecodeCursor(shard.EncodeCursor(values...), 2)
		if err != nil || !slices.Equal(again, values) {
			t.Fatalf("%q became %q, %v", values, again, err)
		}
	})
}
