package store

import (
	"fmt"
	"slices"

	"github.com/trellis-mesh/trellis/chassis/shard"
)

// What users can be spread by.
const (
	ByHash   = "hash"   // of the id: evenly
	ByRange  = "range"  // of the name's first letter: A to H, I to P, Q to Z
	ByRegion = "region" // US, EU, ASIA
)

// DefaultRegion is where a user is at home who does not say.
const DefaultRegion = "EU"

// slots are right for some 50 shards.
const slots = 1024

// layout is how users are spread over shards.
type layout struct {
	strategy shard.Strategy
	byID     bool              // the id alone tells the partition
	byName   bool              // neighbours by name are in neighbouring partitions
	by       func(User) string // what the strategy looks at otherwise
}

// newLayout gives the layout of a name, of shards in their declared order.
func newLayout(name string, shards []string) (layout, error) {
	if name == ByHash {
		return layout{strategy: shard.Hash(slots), byID: true, by: func(User) string { return "" }}, nil
	}
	if len(shards) < 3 {
		return layout{}, fmt.Errorf("users.sharding: %s needs three shards, and there are %q", name, shards)
	}
	switch name {
	case ByRange:
		strategy, err := shard.Ranges(shard.Span{From: "", Shard: shards[0]}, shard.Span{From: "i", Shard: shards[1]}, shard.Span{From: "q", Shard: shards[2]})
		return layout{strategy: strategy, byName: true, by: func(u User) string { return u.Name }}, err
	case ByRegion:
		strategy := shard.Regions(map[string]string{"US": shards[0], "EU": shards[1], "ASIA": shards[2]})
		return layout{strategy: strategy, by: func(u User) string { return u.Region }}, nil
	}
	return layout{}, fmt.Errorf("users.sharding: %q is neither hash nor range nor region", name)
}

// key is where a user belongs.
func (l layout) key(u User) shard.Key { return shard.Key{ID: u.ID, By: l.by(u)} }

// claimed is where the user of a claim belongs. Letters and regions are partitions, and are in the partition of their name.
func (l layout) claimed(c claim) shard.Key {
	if l.byID {
		return shard.Key{ID: c.UserID}
	}
	return shard.Key{ID: c.UserID, By: c.Partition}
}

// between gives the partitions that can have names from one to another; nil are all.
func (l layout) between(from, to string) ([]string, error) {
	all := l.strategy.Partitions()
	if !l.byName || from == "" && to == "" {
		return nil, nil
	}
	first, err := l.strategy.Partition(from)
	if err != nil {
		return nil, err
	}
	if to == "" {
		return all[slices.Index(all, first):], nil
	}
	return shard.Between(l.strategy, from, to)
}
