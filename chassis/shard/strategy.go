package shard

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// ErrUnknownRegion is a region that has no shard.
var ErrUnknownRegion = errors.New("the region is not known")

// Strategy decides on partitions and on their homes. A team may write its own. What Name, Partitions and Partition say may
// never change while there is data; Home may, and Rebalance then moves what it concerns.
type Strategy interface {
	// Name tells this layout from others; it contains all that Partition depends on.
	Name() string
	// Partitions are all there are, at most some thousands. Where ranges of keys matter they are in the order of keys.
	Partitions() []string
	// Partition gives the one that a key belongs to.
	Partition(by string) (string, error)
	// Home gives the shard, one of those given, where a partition belongs.
	Home(partition string, shards []string) (string, error)
}

// Hash spreads keys evenly over slots, and slots over shards by rendezvous: adding a shard to n gives it about 1/(n+1) of
// the slots and moves no other. More slots spread more evenly; 1024 are right for up to some 50 shards.
//
// Source: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998).
func Hash(slots int) Strategy { return hashed{max(slots, 1)} }

type hashed struct{ slots int }

func (h hashed) Name() string { return fmt.Sprintf("hash/%d", h.slots) }

func (h hashed) Partitions() []string {
	all := make([]string, h.slots)
	for i := range all {
		all[i] = slot(i)
	}
	return all
}

func slot(n int) string { return fmt.Sprintf("%05d", n) }

func (h hashed) Partition(by string) (string, error) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(by))                         // it never fails
	return slot(int(hash.Sum64() % uint64(h.slots))), nil //nolint:gosec // below slots
}

func (h hashed) Home(partition string, shards []string) (string, error) {
	if len(shards) == 0 {
		return "", errors.New("there are no shards")
	}
	weight := func(shard string) uint64 {
		sum := sha256.Sum256([]byte(shard + "\x00" + partition))
		return binary.BigEndian.Uint64(sum[:])
	}
	best := shards[0]
	for _, s := range shards[1:] {
		if w, b := weight(s), weight(best); w > b || w == b && s < best {
			best = s
		}
	}
	return best, nil
}

// Span is a range of first letters that begins with From and ends before the next span.
type Span struct {
	From  string // a letter a to z; "" for the first span
	Shard string
}

// Ranges keeps keys together by the first letter of their SortKey: with {"", s1}, {"i", s2}, {"q", s3}, A–H are on s1, I–P
// on s2, Q–Z on s3. Every key has a place: what sorts before a, as digits do, is in the first span, and what sorts after
// z, as letters that are not Latin do, in the last one. Each letter is a partition and can be moved.
func Ranges(spans ...Span) (Strategy, error) {
	for i, s := range spans {
		switch {
		case s.Shard == "":
			return nil, fmt.Errorf("the span from %q has no shard", s.From)
		case i == 0 && s.From != "":
			return nil, fmt.Errorf(`the first span begins with %q, not with "": keys before it had no place`, s.From)
		case i > 0 && (len(s.From) != 1 || s.From < "a" || s.From > "z" || s.From <= spans[i-1].From):
			return nil, fmt.Errorf("the span from %q: spans begin with letters a to z, in their order", s.From)
		}
	}
	if len(spans) == 0 {
		return nil, errors.New("there are no spans")
	}
	return ranged(slices.Clone(spans)), nil
}

type ranged []Span

const (
	beforeLetters = "0" // the partition of all before a
	afterLetters  = "~" // the partition of all after z
)

func (r ranged) Name() string { return "letters" }

func (r ranged) Partitions() []string {
	all := []string{beforeLetters}
	for letter := 'a'; letter <= 'z'; letter++ {
		all = append(all, string(letter))
	}
	return append(all, afterLetters)
}

func (r ranged) Partition(by string) (string, error) {
	switch key := SortKey(by); {
	case key < "a":
		return beforeLetters, nil
	case key >= "{": // the character after z
		return afterLetters, nil
	default:
		return key[:1], nil
	}
}

func (r ranged) Home(partition string, shards []string) (string, error) {
	home := r[0]
	for _, s := range r[1:] {
		if partition != beforeLetters && s.From <= partition {
			home = s
		}
	}
	if !slices.Contains(shards, home.Shard) {
		return "", fmt.Errorf("home of partition %s: shard %s: %w", partition, home.Shard, ErrUnknownShard)
	}
	return home.Shard, nil
}

// Between gives the partitions of the keys from one to another, both included, for Query.Partitions.
func Between(s Strategy, from, to string) ([]string, error) {
	first, err := s.Partition(from)
	if err != nil {
		return nil, err
	}
	last, err := s.Partition(to)
	if err != nil {
		return nil, err
	}
	all := s.Partitions()
	a, b := slices.Index(all, first), slices.Index(all, last)
	if a < 0 || b < a {
		return nil, fmt.Errorf("there is nothing from %q to %q", from, to)
	}
	return all[a : b+1], nil
}

// latin are letters of the Latin script that have no decomposition.
var latin = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "þ", "th", "ł", "l", "ħ", "h", "ı", "i", "ŋ", "n")

// SortKey gives the form of a name by which it is sorted and put into a range: without case, marks and spaces around it, so
// that "Émile", "émile" and "EMILE" are together. Store it, in a column with COLLATE "C" on PostgreSQL, to sort by it.
func SortKey(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(strings.TrimSpace(name), "\ufffd")) {
		if !unicode.Is(unicode.Mn, r) && r != 0 {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return latin.Replace(b.String())
}

// Regions keeps a region's keys on the shard of the region: Key.By is the region.
func Regions(shards map[string]string) Strategy { return regional(maps.Clone(shards)) }

type regional map[string]string

func (r regional) Name() string { return "regions" }

func (r regional) Partitions() []string { return slices.Sorted(maps.Keys(r)) }

func (r regional) Partition(by string) (string, error) {
	if _, ok := r[by]; !ok {
		return "", fmt.Errorf("region %q: %w: there are %s", by, ErrUnknownRegion, strings.Join(r.Partitions(), ", "))
	}
	return by, nil
}

func (r regional) Home(partition string, shards []string) (string, error) {
	home, ok := r[partition]
	if !ok {
		return "", fmt.Errorf("region %q: %w", partition, ErrUnknownRegion)
	}
	if !slices.Contains(shards, home) {
		return "", fmt.Errorf("home of region %s: shard %s: %w", partition, home, ErrUnknownShard)
	}
	return home, nil
}
