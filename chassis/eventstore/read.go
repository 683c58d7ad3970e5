package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Recorded is an event as it was stored, its data in the current shape of its type.
type Recorded struct {
	Position int64 // in the store
	Stream   string
	Version  int64 // in the stream, from 1
	Type     string
	Schema   int       // the version of the type that was stored
	At       time.Time // UTC, in microseconds; within a stream it never goes back
	Data     any
	Metadata map[string]string // the trace and the ids of the request that made it
}

// Range is a part of a stream. The zero value is all of it.
type Range struct {
	From int64     // first version; 0: the first there is
	To   int64     // last version; 0: the last there is
	AsOf time.Time // events until then, that moment included; zero: until now
	In   bun.IDB   // a transaction to read in, so that its own events are seen; nil: what is committed
}

// Load gives the events of a stream in their order; none when there is no such stream.
func (s *Store) Load(ctx context.Context, stream string, r Range) ([]Recorded, error) {
	db := r.In
	if db == nil {
		db = s.db
	}
	query := db.NewSelect().Model((*eventRow)(nil)).Where("stream = ?", stream).OrderExpr("version")
	if r.From > 0 {
		query.Where("version >= ?", r.From)
	}
	if r.To > 0 {
		query.Where("version <= ?", r.To)
	}
	if !r.AsOf.IsZero() {
		query.Where("at <= ?", r.AsOf.UTC().Truncate(time.Microsecond))
	}
	events, err := s.read(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", stream, err)
	}
	return events, nil
}

// ReadAll gives at most limit events of all streams after a position, in the order of positions.
func (s *Store) ReadAll(ctx context.Context, after int64, limit int) ([]Recorded, error) {
	query := s.db.NewSelect().Model((*eventRow)(nil)).Where("position > ?", after).OrderExpr("position").Limit(int64(limit))
	events, err := s.read(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read events after position %d: %w", after, err)
	}
	return events, nil
}

func (s *Store) read(ctx context.Context, query *bun.SelectQuery) ([]Recorded, error) {
	var rows []eventRow
	if err := query.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	events := make([]Recorded, len(rows))
	for i, r := range rows {
		e, err := s.recorded(r)
		if err != nil {
			return nil, err
		}
		events[i] = e
	}
	return events, nil
}

func (s *Store) recorded(r eventRow) (Recorded, error) {
	e := Recorded{Position: r.Position, Stream: r.Stream, Version: r.Version, Type: r.Type, Schema: r.Schema, At: r.At.UTC()}
	var err error
	if e.Data, err = s.types.decode(r.Type, r.Schema, []byte(r.Data)); err != nil {
		return Recorded{}, fmt.Errorf("version %d of %s at position %d: %w", r.Version, r.Stream, r.Position, err)
	}
	if err := json.Unmarshal([]byte(r.Metadata), &e.Metadata); err != nil {
		return Recorded{}, fmt.Errorf("metadata of version %d of %s at position %d: %w", r.Version, r.Stream, r.Position, err)
	}
	return e, nil
}
