package shard

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"
)

// Error is the failure of one shard.
type Error struct {
	Shard string
	Err   error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("shard %s: %v", e.Shard, e.Err) }

// Unwrap gives what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Query is what a Gather asks every shard.
type Query[T any] struct {
	// Select makes the query, with its columns, conditions and order. The condition on the partition and the limit are added.
	Select func(db bun.IDB) *bun.SelectQuery
	// Compare is the order of the query, to merge the answers by; nil when the order does not matter. Texts are ordered as Go
	// does, so on PostgreSQL by a column with COLLATE "C"; an answer in another order is refused.
	Compare func(a, b T) int
	// Limit is the most rows in all; 0 is no limit. The next page begins after the last row: put that row's sort columns, the
	// last of them unique, into the condition of Select. EncodeCursor makes a text of them.
	Limit int
	// Partitions to ask for, as Between gives them; nil asks for all.
	Partitions []string
	// Column is the partition's column when Options.Column alone is ambiguous, as in a join: "u.partition".
	Column string
	// Partial gives the rows of the shards that answered when others did not, and says so.
	Partial bool
}

// Result is what a Gather has found.
type Result[T any] struct {
	Rows    []T
	Partial bool     // rows of the Failed shards are missing
	Failed  []*Error // by the shard's name
}

// Gather asks the shards at the same time and merges what they answer. Every partition is asked for exactly once, where it
// is owned, so no row is missing and none comes twice while partitions move. It fails with Errors unless Query.Partial.
func Gather[T any](ctx context.Context, r *Router, q Query[T]) (Result[T], error) {
	if q.Partitions == nil {
		q.Partitions = r.strategy.Partitions()
	}
	var answers [][]T
	failed := map[string]*Error{}
	waited, cancel := context.WithTimeout(ctx, r.opt.Patience)
	defer cancel()
	for pending, pause := q.Partitions, time.Millisecond; len(pending) > 0; pause = min(2*pause, 50*time.Millisecond) {
		var missed []string
		for _, a := range ask(ctx, r, q, r.byOwner(pending)) {
			if a.err != nil {
				r.metrics.failures.WithLabelValues(a.shard).Inc()
				failed[a.shard] = &Error{Shard: a.shard, Err: a.err}
				continue
			}
			answers = append(answers, a.rows)
			missed = append(missed, a.missed...)
		}
		if pending = missed; len(pending) == 0 {
			break
		}
		if len(failed) > 0 && !q.Partial {
			break
		}
		if err := r.locateAll(ctx, waited, pending, pause); err != nil {
			return Result[T]{}, err
		}
	}
	result := Result[T]{Partial: len(failed) > 0}
	for _, name := range r.names {
		if err := failed[name]; err != nil {
			result.Failed = append(result.Failed, err)
		}
	}
	if result.Partial && !q.Partial {
		var errs []error
		for _, err := range result.Failed {
			errs = append(errs, err)
		}
		return Result[T]{}, errors.Join(errs...)
	}
	result.Rows = merge(answers, q.Compare, q.Limit)
	return result, nil
}

// locateAll looks for partitions that were not where they were thought to be, as long as ctx, which is the caller's for Patience.
func (r *Router) locateAll(caller, ctx context.Context, partitions []string, pause time.Duration) error {
	for _, partition := range partitions {
		r.metrics.redirects.Inc()
		if err := r.locate(ctx, partition); err != nil && !errors.Is(err, errElsewhere) {
			return fmt.Errorf("look for partition %s: %w", partition, err)
		}
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("partitions %q: %w", partitions, cmp.Or(caller.Err(), error(ErrBusy)))
	case <-time.After(pause):
		return nil
	}
}

func (r *Router) byOwner(partitions []string) map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := map[string][]string{}
	for _, partition := range partitions {
		of[r.owners[partition]] = append(of[r.owners[partition]], partition)
	}
	return of
}

type answer[T any] struct {
	shard  string
	rows   []T
	missed []string // partitions that the shard does not own
	err    error
}

// ask asks each shard for its partitions.
func ask[T any](ctx context.Context, r *Router, q Query[T], of map[string][]string) []answer[T] {
	answers := make([]answer[T], 0, len(of))
	for _, name := range append(slices.Clone(r.names), "") { // in the same order every time
		if len(of[name]) > 0 {
			answers = append(answers, answer[T]{shard: name})
		}
	}
	slots := make(chan struct{}, r.opt.Concurrency)
	var group sync.WaitGroup
	for i := range answers {
		a := &answers[i]
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
			defer cancel()
			a.rows, a.missed, a.err = one(ctx, r, q, a.shard, of[a.shard])
		})
	}
	group.Wait()
	return answers
}

func one[T any](ctx context.Context, r *Router, q Query[T], name string, partitions []string) (rows []T, missed []string, err error) {
	db, err := r.shard(name)
	if err != nil {
		return nil, nil, err
	}
	err = snapshot(ctx, db, func(tx bun.Tx) error {
		here, err := owned(ctx, tx, partitions)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, partition := range here {
			known[partition] = true
		}
		for _, partition := range partitions {
			if !known[partition] {
				missed = append(missed, partition)
			}
		}
		if len(here) == 0 {
			return nil
		}
		column := q.Column
		if column == "" {
			column = r.opt.Column
		}
		query := q.Select(tx).Where("? IN (?)", bun.Ident(column), bun.List(here))
		if q.Limit > 0 {
			query.Limit(int64(q.Limit))
		}
		return query.Scan(ctx, &rows)
	})
	if err == nil && q.Compare != nil && !slices.IsSortedFunc(rows, q.Compare) {
		err = errors.New(`its rows are not in the order of Compare: sort by the same columns, texts with COLLATE "C"`)
	}
	return rows, missed, err
}

// merge gives the rows of all answers in order, at most limit.
func merge[T any](answers [][]T, compare func(a, b T) int, limit int) []T {
	if compare == nil {
		all := slices.Concat(answers...)
		if limit > 0 && len(all) > limit {
			all = all[:limit]
		}
		return all
	}
	h := &heads[T]{compare: compare}
	for i, rows := range answers {
		if len(rows) > 0 {
			h.lists = append(h.lists, list[T]{rows, i})
		}
	}
	heap.Init(h)
	var merged []T
	for len(h.lists) > 0 && (limit <= 0 || len(merged) < limit) {
		first := &h.lists[0]
		merged = append(merged, first.rows[0])
		if first.rows = first.rows[1:]; len(first.rows) == 0 {
			heap.Pop(h)
			continue
		}
		heap.Fix(h, 0)
	}
	return merged
}

// heads is a heap of lists by their first rows; equal ones keep the order of the shards.
type heads[T any] struct {
	lists   []list[T]
	compare func(a, b T) int
}

type list[T any] struct {
	rows []T
	rank int
}

func (h *heads[T]) Len() int { return len(h.lists) }

func (h *heads[T]) Less(i, j int) bool {
	if c := h.compare(h.lists[i].rows[0], h.lists[j].rows[0]); c != 0 {
		return c < 0
	}
	return h.lists[i].rank < h.lists[j].rank
}

func (h *heads[T]) Swap(i, j int) { h.lists[i], h.lists[j] = h.lists[j], h.lists[i] }

func (h *heads[T]) Push(x any) { h.lists = append(h.lists, x.(list[T])) }

func (h *heads[T]) Pop() any {
	last := h.lists[len(h.lists)-1]
	h.lists = h.lists[:len(h.lists)-1]
	return last
}

// EncodeCursor makes the text by which a client asks for the next page of the values that its last row is sorted by.
func EncodeCursor(values ...string) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // texts can always be encoded
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// DecodeCursor gives the n values of a cursor. A cursor comes from outside, so anything may be in it.
func DecodeCursor(cursor string, n int) (values []string, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err == nil && len(values) != n {
		err = fmt.Errorf("it has %d values, want %d", len(values), n)
	}
	if err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	return values, nil
}
