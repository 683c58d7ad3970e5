package store

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/shard"
)

// ErrNoPage is a List that asks for what there cannot be: a range that ends before it begins, or a page after no other.
var ErrNoPage = errors.New("there is no such page")

// last comes after every text that begins as the one before it.
const last = "\U0010FFFF"

// List gives the users whose names begin with from to to, both included and either empty for no bound, in the order of their names,
// and what to ask for the next page after. It asks those shards alone that can have some.
func (s *Store) List(ctx context.Context, from, to, after string, limit int) (users []User, next string, err error) {
	from, to = shard.SortKey(from), shard.SortKey(to)
	if to != "" && from > to+last {
		return nil, "", ErrNoPage
	}
	var past []string
	if after != "" {
		past, err = shard.DecodeCursor(after, 2)
		if err != nil || strings.ContainsRune(past[0]+past[1], 0) { // which no name has, and PostgreSQL does not take
			return nil, "", errors.Join(ErrNoPage, err)
		}
	}
	partitions, err := s.layout.between(from, to)
	if err != nil {
		return nil, "", err
	}
	found, err := shard.Gather(ctx, s.router, shard.Query[User]{
		Select: func(db bun.IDB) *bun.SelectQuery {
			query := db.NewSelect().Model((*User)(nil)).Where("NOT void").OrderExpr("sort_key, id")
			if from != "" {
				query.Where("sort_key >= ?", from)
			}
			if to != "" {
				query.Where("sort_key < ?", to+last)
			}
			if past != nil {
				query.Where("(sort_key, id) > (?, ?)", past[0], past[1])
			}
			return query
		},
		Compare:    func(a, b User) int { return cmp.Or(cmp.Compare(a.SortKey, b.SortKey), cmp.Compare(a.ID, b.ID)) },
		Limit:      limit + 1,
		Partitions: partitions,
	})
	if err != nil {
		return nil, "", err
	}
	users = found.Rows
	if len(users) > limit {
		users = users[:limit]
		next = shard.EncodeCursor(users[limit-1].SortKey, users[limit-1].ID)
	}
	return users, next, nil
}
