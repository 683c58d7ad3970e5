package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// locks keeps what SQLite's locks need: per name a slot for this process and a file for the others.
type locks struct {
	path  string // the database's file; "": in memory, so no other process has it
	mu    sync.Mutex
	slots map[string]*slot
}

type slot struct {
	held chan struct{}
	file *sql.DB
}

// Lock waits until this caller alone, of all processes that use the database, holds the lock called name. A process that
// dies loses its locks at once: they hang on a connection (PostgreSQL's advisory locks) or on an open file (SQLite).
func (db *DB) Lock(ctx context.Context, name string) (unlock func(), err error) {
	for {
		unlock, ok, err := db.TryLock(ctx, name)
		if err != nil || ok {
			return unlock, err
		}
		// Asked again and again, since a statement that waits inside PostgreSQL holds a snapshot, for which
		// CREATE INDEX CONCURRENTLY in the lock's owner would wait in turn.
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %q: %w", name, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TryLock is Lock without waiting: ok is false when somebody else holds the lock.
func (db *DB) TryLock(ctx context.Context, name string) (unlock func(), ok bool, err error) {
	if db.kind == Postgres {
		unlock, ok, err = db.tryAdvisory(ctx, name)
	} else {
		unlock, ok, err = db.locks.try(ctx, name)
	}
	if err != nil {
		return nil, false, fmt.Errorf("take lock %q: %w", name, err)
	}
	return unlock, ok, nil
}

func (db *DB) tryAdvisory(ctx context.Context, name string) (func(), bool, error) {
	conn, err := db.DB.DB.Conn(ctx)
	if err != nil {
		return nil, false, err
	}
	hash := fnv.New64a()
	hash.Write([]byte("trellis:" + name))
	key := int64(hash.Sum64()) //nolint:gosec // any 64 bits do
	var ok bool
	if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&ok); err != nil || !ok {
		return nil, false, errors.Join(err, conn.Close())
	}
	unlock := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", key); err != nil {
			// Not back into the pool with the lock on it: a broken connection is closed, and closing unlocks.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}
	return unlock, true, nil
}

func (l *locks) try(ctx context.Context, name string) (func(), bool, error) {
	s, err := l.slot(name)
	if err != nil {
		return nil, false, err
	}
	select {
	case s.held <- struct{}{}:
	default:
		return nil, false, nil
	}
	if s.file == nil {
		return func() { <-s.held }, true, nil
	}
	tx, err := s.file.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		<-s.held
		if lite := (*sqlite.Error)(nil); errors.As(err, &lite) && lite.Code()&0xff == 5 { // SQLITE_BUSY
			return nil, false, nil
		}
		return nil, false, err
	}
	return func() { _ = tx.Rollback(); <-s.held }, true, nil
}

// slot gives the slot of name. Its file is an empty SQLite database beside the real one, whose exclusive transaction is
// the lock: that works on every system that SQLite works on.
func (l *locks) slot(name string) (*slot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.slots[name]; s != nil {
		return s, nil
	}
	s := &slot{held: make(chan struct{}, 1)}
	if l.path != "" {
		params := url.Values{"_txlock": {"exclusive"}, "_pragma": {"busy_timeout(0)"}}
		file, err := sql.Open("sqlite", fileURI(l.path+"-"+name+".lock", params))
		if err != nil {
			return nil, err
		}
		s.file = file
	}
	if l.slots == nil {
		l.slots = map[string]*slot{}
	}
	l.slots[name] = s
	return s, nil
}

func (l *locks) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, s := range l.slots {
		if s.file != nil {
			errs = append(errs, s.file.Close())
		}
	}
	l.slots = nil
	return errors.Join(errs...)
}
