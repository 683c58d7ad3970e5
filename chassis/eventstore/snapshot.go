package eventstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// Snapshot says how an aggregate's state is kept, so that not all of its events are read each time. The zero value keeps
// none. A snapshot is only a shortcut: one of another Schema, with a wrong checksum, unreadable, or of an event that the
// stream does not have, is ignored. Raise Schema whenever A or Apply changes.
type Snapshot[A any] struct {
	Every  int                      // events between two snapshots; 0: no snapshots
	Schema int                      // of A and Apply, from 1
	Encode func(*A) ([]byte, error) // default: JSON, which is refused when it does not give the same state back
	Decode func([]byte, *A) error
}

func (s Snapshot[A]) check() error {
	switch {
	case s.Every < 0, s.Every > 0 && s.Schema < 1:
		return fmt.Errorf("snapshots every %d events with schema %d: both are at least 1", s.Every, s.Schema)
	case (s.Encode == nil) != (s.Decode == nil):
		return errors.New("snapshots need Encode and Decode, or neither")
	}
	return nil
}

type snapshotRow struct {
	bun.BaseModel `bun:"table:eventstore_snapshot"`

	Stream   string `bun:",pk"`
	Schema   int    `bun:",pk"`
	Version  int64
	Position int64
	State    string
	Checksum string
}

func (r snapshotRow) sum() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %d %q", r.Stream, r.Schema, r.Version, r.Position, r.State))
	return hex.EncodeToString(sum[:])
}

// snapshot gives the state to start from, if there is a sound one that is not past the range.
func (r *Repository[A]) snapshot(ctx context.Context, stream string, in Range) (l loaded[A], found bool, err error) {
	if r.kind.Snapshot.Every == 0 || !in.AsOf.IsZero() { // its time is not known; that of its event would have to be
		return l, false, nil
	}
	var db bun.IDB = r.store.db
	if in.In != nil {
		db = in.In
	}
	var row snapshotRow
	err = db.NewSelect().Model(&row).Where("stream = ?", stream).Where("schema = ?", r.kind.Snapshot.Schema).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return l, false, nil
	case err != nil:
		return l, false, fmt.Errorf("read the snapshot of %s: %w", stream, err)
	case in.To > 0 && row.Version > in.To:
		return l, false, nil
	}
	if row.Version < 1 || row.sum() != row.Checksum {
		r.ignore(stream, errors.New("its checksum is wrong"))
		return l, false, nil
	}
	if err := r.decode([]byte(row.State), &l.state); err != nil {
		r.ignore(stream, err)
		return loaded[A]{}, false, nil
	}
	l.version, l.position = row.Version, row.Position
	return l, true, nil
}

func (r *Repository[A]) ignore(stream string, why error) {
	r.store.metrics.snapshots.WithLabelValues("ignored").Inc()
	r.store.opt.Log.Warn("a snapshot is ignored and the events are read instead", "stream", stream, "error", why)
}

// snapshotAfter keeps the state once the append that led to version is committed and a snapshot is due. That it fails is no
// fault of the append.
func (r *Repository[A]) snapshotAfter(ctx context.Context, id string, last, version int64) {
	every := int64(r.kind.Snapshot.Every)
	if every == 0 || version-last < every {
		return
	}
	database.AfterCommit(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := r.keep(ctx, id)
		outcome := "kept"
		if err != nil {
			outcome = "failed"
			r.store.opt.Log.Warn("no snapshot was kept", "stream", r.Stream(id), "error", err)
		}
		r.store.metrics.snapshots.WithLabelValues(outcome).Inc()
	})
}

// keep stores the committed state.
func (r *Repository[A]) keep(ctx context.Context, id string) error {
	l, err := r.load(ctx, id, Range{})
	if err != nil {
		return err
	}
	state, err := r.encode(&l.state)
	if err != nil {
		return err
	}
	row := snapshotRow{
		Stream: r.Stream(id), Schema: r.kind.Snapshot.Schema, Version: l.version, Position: l.position, State: string(state),
	}
	row.Checksum = row.sum()
	_, err = r.store.db.NewInsert().Model(&row).On("CONFLICT (stream, schema) DO UPDATE").Set("version = EXCLUDED.version").
		Set("position = EXCLUDED.position").Set("state = EXCLUDED.state").Set("checksum = EXCLUDED.checksum").Exec(ctx)
	return err
}

func (r *Repository[A]) encode(a *A) ([]byte, error) {
	if r.kind.Snapshot.Encode != nil {
		return r.kind.Snapshot.Encode(a)
	}
	data, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	var back A
	if err := json.Unmarshal(data, &back); err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(*a, back) { // an unexported field, say, would be lost for good
		return nil, fmt.Errorf("%T does not survive JSON: export all fields, or set Snapshot.Encode and Decode", *a)
	}
	return data, nil
}

func (r *Repository[A]) decode(data []byte, a *A) error {
	if r.kind.Snapshot.Decode != nil {
		return r.kind.Snapshot.Decode(data, a)
	}
	return json.Unmarshal(data, a)
}
