// Package twophase commits a transaction at several services or at none: two-phase commit with presumed abort.
//
// The Coordinator asks all participants to prepare. One that votes yes has done its work so far that it can commit or abort
// whatever happens, and may decide nothing by itself any more. When all have voted yes in time, the decision to commit is
// made: it is a row in the coordinator's database, written in one transaction with what the service wants to come true with
// it, and before anybody is told. From then on there is no way back: a participant that cannot be told is told again, for ever.
// Without that row a transaction is aborted, so a participant in doubt may ask (Coordinator.Decision) and gets an answer that
// stays true. That the row outlives a power failure is the database's promise: PostgreSQL's, unless synchronous_commit is off; a
// SQLite file outlives a crash of the process only.
//
// While a participant is prepared it holds locks or stock that others wait for, and all participants must be up. Prefer
// package saga where a compensation can be defined; use this where nobody may see a half-done state.
//
// A participant is any implementation of Participant, usually a client of another service. That service does its part with a
// Local: Prepared uses PREPARE TRANSACTION of PostgreSQL; Tentative keeps a tentative record on any database.
//
//	coordinator, err := twophase.New(db, "checkout", map[string]twophase.Participant[Order]{
//		"inventory": inventory, "payments": payments, "shipping": shipping,
//	}, closeOrder, twophase.Options{})
//	service.Go("checkout", coordinator.Run)
//	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
//		… // write the order
//		return coordinator.Begin(ctx, tx, order.ID, order)
//	})
package twophase

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables of coordinators and participants, for database.Migrate; they are recorded apart from the service's
// own.
func Migrations() fs.FS {
	root, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return database.Named("twophase", root)
}

// Participant is one party of a transaction. Each call names the transaction as coordinator/id; it may come more than once,
// late, and while an earlier one is still under way, and must then have the effect of one.
type Participant[D any] interface {
	// Prepare does the work so far that Commit cannot fail for any reason of the work, and keeps it in doubt. Nil votes yes. An
	// error marked by Refused votes no. After any other error nobody knows; the coordinator asks again while there is time. A
	// Prepare that comes after Abort must vote no.
	Prepare(ctx context.Context, txn string, data D) error

	// Commit makes what was prepared come true. Nil means that it is durable; after an error Commit is called again.
	Commit(ctx context.Context, txn string) error

	// Abort drops what was prepared; also when nothing was, since a Prepare may yet be on its way. Nil means that no Prepare of
	// this transaction will succeed any more; after an error Abort is called again.
	Abort(ctx context.Context, txn string) error
}

// Decision is what became of a transaction.
type Decision string

// The decisions. While a transaction is Undecided, ask again later.
const (
	Undecided Decision = "undecided"
	Commit    Decision = "commit"
	Abort     Decision = "abort"
)

// The errors that callers may want to tell apart.
var (
	ErrNotFound  = errors.New("there is no such transaction")
	ErrAborted   = errors.New("the transaction was aborted")
	ErrCommitted = errors.New("the transaction was committed")
)

type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// Refused marks the error of a Prepare that votes no: nothing is prepared, and it is no use to ask again.
func Refused(err error) error {
	if err == nil {
		return nil
	}
	return refused{err}
}

// IsRefused reports whether err, or one it wraps, was marked by Refused.
func IsRefused(err error) bool {
	var r refused
	return errors.As(err, &r)
}

const longestError = 500

func shorten(err error) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", "?"), "?")
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError], "")
	}
	return text
}

func defaultTo(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}
