package eventstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// Expected versions that are no version.
const (
	NoStream int64 = 0  // the stream has no events yet
	Any      int64 = -1 // whatever its version is
)

// ErrConflict is the refusal of an append that was decided on another version of the stream; see ConflictError.
var ErrConflict = errors.New("the stream has another version")

// ConflictError says which version the stream has.
type ConflictError struct {
	Stream           string
	Expected, Actual int64
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("append to %s: expected version %d, it has %d: load it again and decide anew", e.Stream, e.Expected, e.Actual)
}

// Is makes it an ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Commit is what an append has done.
type Commit struct {
	Stream   string
	Version  int64 // of the stream's last event
	Position int64 // of that event in the store; read models that have it are waited for with Projector.WaitFor
	Repeated bool  // an earlier append of the same command did it; this one did nothing
}

type eventRow struct {
	bun.BaseModel `bun:"table:eventstore_event,alias:e"`

	Position int64 `bun:",pk"`
	Stream   string
	Version  int64
	Type     string
	Schema   int
	Data     string
	Metadata string
	At       time.Time
}

type commandRow struct {
	bun.BaseModel `bun:"table:eventstore_command"`

	Stream   string
	Command  string
	Version  int64
	Position int64
}

// Append adds the events, values of types that Define knows, to the stream if it has the expected version, else it fails
// with ErrConflict. Called with the context of a transaction (DB.InTx) it is a part of that; a refusal leaves the
// transaction usable.
func (s *Store) Append(ctx context.Context, stream string, expected int64, events ...any) (Commit, error) {
	return s.append(ctx, "", stream, expected, events)
}

// AppendOnce is Append for a command that may come more than once: when an append of the same command to the stream was
// committed before, it does nothing and gives that one's Commit, as Repeated, whatever version is expected.
func (s *Store) AppendOnce(ctx context.Context, command, stream string, expected int64, events ...any) (Commit, error) {
	if err := validName("command id", command); err != nil {
		return Commit{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	return s.append(ctx, command, stream, expected, events)
}

func (s *Store) append(ctx context.Context, command, stream string, expected int64, events []any) (commit Commit, err error) {
	rows, err := s.rows(ctx, stream, expected, events)
	if err != nil {
		return Commit{}, fmt.Errorf("append to %q: %w", stream, err)
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if commit, err = done(ctx, tx, command, stream); err != nil || commit.Repeated {
			return err
		}
		commit, err = s.insert(ctx, tx, command, expected, rows)
		return err
	})
	if violatesUnique(err) { // another append came between the look at the version and the head
		err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
			if commit, err = done(ctx, tx, command, stream); err != nil || commit.Repeated {
				return err
			}
			last, err := lastOf(ctx, tx, stream)
			if err != nil {
				return err
			}
			return &ConflictError{Stream: stream, Expected: expected, Actual: last.Version}
		})
	}
	if errors.Is(err, ErrConflict) {
		s.metrics.conflicts.Inc()
		return Commit{}, err
	}
	if err != nil {
		return Commit{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	return commit, nil
}

// rows encodes the events.
func (s *Store) rows(ctx context.Context, stream string, expected int64, events []any) ([]eventRow, error) {
	if err := validName("stream", stream); err != nil {
		return nil, err
	}
	if expected < Any {
		return nil, fmt.Errorf("expected version %d: want a version, NoStream or Any", expected)
	}
	if len(events) == 0 {
		return nil, errors.New("there are no events")
	}
	metadata, err := json.Marshal(metadataOf(ctx))
	if err != nil {
		return nil, err
	}
	rows := make([]eventRow, len(events))
	for i, e := range events {
		name, schema, data, err := s.types.encode(e)
		if err != nil {
			return nil, err
		}
		rows[i] = eventRow{Stream: stream, Type: name, Schema: schema, Data: string(data), Metadata: string(metadata)}
	}
	return rows, nil
}

// insert appends the rows in tx. Versions only grow, so a version other than the expected one is a conflict for certain;
// that it is still the expected one, the unique index sees to.
func (s *Store) insert(ctx context.Context, tx bun.Tx, command string, expected int64, rows []eventRow) (Commit, error) {
	stream := rows[0].Stream
	var last eventRow
	var err error
	if expected != Any {
		if last, err = lastOf(ctx, tx, stream); err != nil {
			return Commit{}, err
		}
		if last.Version != expected {
			return Commit{}, &ConflictError{Stream: stream, Expected: expected, Actual: last.Version}
		}
	}
	position, err := s.advance(ctx, tx, int64(len(rows)))
	if err != nil {
		return Commit{}, err
	}
	if expected == Any {
		if last, err = lastOf(ctx, tx, stream); err != nil {
			return Commit{}, err
		}
	}
	at := s.now()
	if at.Before(last.At) { // clocks of replicas differ; a stream's time never goes back
		at = last.At
	}
	for i := range rows {
		rows[i].Position = position - int64(len(rows)-1-i)
		rows[i].Version = last.Version + int64(i) + 1
		rows[i].At = at
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return Commit{}, err
	}
	commit := Commit{Stream: stream, Version: rows[len(rows)-1].Version, Position: position}
	if command != "" {
		r := commandRow{Stream: stream, Command: command, Version: commit.Version, Position: position}
		if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
			return Commit{}, err
		}
	}
	database.AfterCommit(ctx, func() {
		s.metrics.appended.Add(float64(len(rows)))
		s.changed.send()
	})
	return commit, nil
}

// advance takes the next n positions and gives the last of them. It holds the head until the transaction ends; should this
// process freeze meanwhile, the server ends the transaction after 30 seconds.
func (s *Store) advance(ctx context.Context, tx bun.Tx, n int64) (position int64, err error) {
	query := tx.NewUpdate().Table("eventstore_head").Set("position = position + ?", n).Returning("position")
	if s.db.Kind() == database.Postgres {
		query.Where("set_config('idle_in_transaction_session_timeout', '30000', true) <> ''")
	} else {
		query.Where("TRUE")
	}
	err = query.Scan(ctx, &position)
	return position, err
}

// done gives the commit of an earlier append of the command, or one that is not Repeated.
func done(ctx context.Context, tx bun.Tx, command, stream string) (Commit, error) {
	if command == "" {
		return Commit{}, nil
	}
	var r commandRow
	err := tx.NewSelect().Model(&r).Where("stream = ?", stream).Where("command = ?", command).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Commit{}, nil
	}
	if err != nil {
		return Commit{}, fmt.Errorf("look for command %s: %w", command, err)
	}
	return Commit{Stream: stream, Version: r.Version, Position: r.Position, Repeated: true}, nil
}

// lastOf gives the version and time of the stream's last event; zero when there is none.
func lastOf(ctx context.Context, db bun.IDB, stream string) (last eventRow, err error) {
	err = db.NewSelect().Model(&last).Column("version", "at").Where("stream = ?", stream).OrderExpr("version DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return eventRow{}, nil
	}
	return last, err
}

const longestName = 500

func validName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the %s is empty", what)
	case len(name) > longestName:
		return fmt.Errorf("the %s has %d bytes: at most %d are allowed", what, len(name), longestName)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return fmt.Errorf("the %s %q is no text", what, name)
	}
	return nil
}

// violatesUnique reports whether err is that of a unique index. Codes: PostgreSQL appendix A; SQLite result codes.
func violatesUnique(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return lite.Code() == 2067 || lite.Code() == 1555
	}
	return false
}
