package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"
)

// scope is the transaction that a context carries.
type scope struct {
	db    *DB
	tx    bun.Tx
	hooks *[]func()
}

type scopeKey struct{}

// ErrBusy is returned by InTx when SQLite's one writer stays taken for too long.
var ErrBusy = errors.New("the database's one writer is busy: was InTx called inside InTx without the inner context?")

// InTx runs fn in a transaction and commits when fn returns nil. An error or a panic of fn rolls back.
//
// A transaction that loses against a concurrent one (a serialization failure or a deadlock) is rolled back and fn runs
// again, at most Options.TxAttempts times, so fn may change nothing but the database. Called with the context of a running
// transaction, InTx joins it: fn's work then commits with the outer one, and an error undoes just fn's part.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	if outer, ok := ctx.Value(scopeKey{}).(*scope); ok && outer.db == db {
		return outer.join(ctx, fn)
	}
	for attempt := 1; ; attempt++ {
		hooks, err := db.attempt(ctx, fn)
		if err == nil {
			for _, hook := range hooks {
				hook()
			}
			return nil
		}
		if attempt >= db.attempts || !retryable(err) || !pause(ctx, attempt) {
			return err
		}
	}
}

// attempt runs fn in one transaction and gives the hooks to run now that it is committed.
func (db *DB) attempt(ctx context.Context, fn func(context.Context, bun.Tx) error) ([]func(), error) {
	release, err := db.takeWriter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	tx, err := db.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	var hooks []func()
	if err := run(ctx, &scope{db: db, tx: tx, hooks: &hooks}, fn); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w", errors.Join(ctx.Err(), err)) // an ended context has rolled back already
	}
	return hooks, nil
}

// silence is how long a database does not answer that counts as away.
const silence = time.Second

// begin tells a database that does not answer, which nobody told that connections to it are dead, from a caller that came too late.
func (db *DB) begin(ctx context.Context) (bun.Tx, error) {
	began := time.Now()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && time.Since(began) >= silence {
		err = fmt.Errorf("%w: %w", errSilent, err)
	}
	return tx, err
}

// errSilent means that a transaction could not even begin: nothing was asked of the database yet.
var errSilent = errors.New("the database does not answer")

// join runs fn inside s, behind a savepoint.
func (s *scope) join(ctx context.Context, fn func(context.Context, bun.Tx) error) error {
	tx, err := s.tx.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin nested transaction: %w", err)
	}
	var hooks []func()
	if err := run(ctx, &scope{db: s.db, tx: tx, hooks: &hooks}, fn); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("release savepoint: %w", err)
	}
	*s.hooks = append(*s.hooks, hooks...)
	return nil
}

// run calls fn with s in its context, and rolls back unless fn returns nil: on an error, a panic, runtime.Goexit.
func run(ctx context.Context, s *scope, fn func(context.Context, bun.Tx) error) error {
	done := false
	defer func() {
		if !done {
			_ = s.tx.Rollback() // the reason to roll back is what the caller needs to see
		}
	}()
	if err := fn(context.WithValue(ctx, scopeKey{}, s), s.tx); err != nil {
		return err
	}
	done = true
	return nil
}

// AfterCommit runs fn once the transaction that ctx carries has been committed, and never if it is not. Without a
// transaction, fn runs at once. Hooks run in order, in the goroutine that called InTx, so they must be quick.
func AfterCommit(ctx context.Context, fn func()) {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		fn()
		return
	}
	*s.hooks = append(*s.hooks, fn)
}

func (db *DB) takeWriter(ctx context.Context) (release func(), err error) {
	if db.kind != SQLite {
		return func() {}, nil
	}
	timer := time.NewTimer(2 * busyTimeout)
	defer timer.Stop()
	select {
	case db.writer <- struct{}{}:
		return func() { <-db.writer }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("begin transaction: %w", ctx.Err())
	case <-timer.C:
		return nil, fmt.Errorf("begin transaction: %w", ErrBusy)
	}
}

// retryable reports whether the transaction lost against a concurrent one and would probably win when run again.
// Codes: PostgreSQL appendix A; SQLite result codes.
func retryable(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01" // serialization failure, deadlock
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return lite.Code() == 517 || lite.Code() == 262 // SQLITE_BUSY_SNAPSHOT, SQLITE_LOCKED_SHAREDCACHE
	}
	return false
}

// pause waits before the next attempt, so that the same two transactions do not meet again; false when ctx ended.
func pause(ctx context.Context, attempt int) bool {
	longest := 5 * time.Millisecond << attempt
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // jitter needs no secrecy
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
