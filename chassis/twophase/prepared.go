package twophase

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// Prepared makes the participant called name, in db with Migrations applied, that keeps its work in doubt as a prepared
// transaction of PostgreSQL: any work will do, and nothing of it is seen until Commit, but the locks of the work are held
// meanwhile. The server must have max_prepared_transactions above 0, at least as many as may be in doubt at once.
//
// The work is done in a transaction that the server, not this process, keeps; database.InTx does not join it, and hooks of
// database.AfterCommit run early. Nothing else may prepare transactions in this database under names that begin with
// "trellis:" and the participant's name.
func Prepared[D any](db *database.DB, name string, work func(ctx context.Context, tx bun.Tx, txn string, data D) error, ask Ask,
	opt LocalOptions,
) (*Local[D], error) {
	l, err := newLocal[D](db, name, ask, opt)
	if err != nil {
		return nil, err
	}
	if work == nil {
		return nil, fmt.Errorf("twophase: participant %s has no work", name)
	}
	if db.Kind() != database.Postgres {
		return nil, fmt.Errorf("twophase: participant %s: %s cannot prepare transactions: use Tentative", name, db.Kind())
	}
	l.backend = &prepared[D]{db: db, name: name, prefix: "trellis:" + name + ":", work: work, now: l.opt.Now}
	return l, nil
}

// CheckServer fails when the PostgreSQL server of db does not allow prepared transactions, which is its default. A service that
// uses Prepared calls it at its start.
func CheckServer(ctx context.Context, db *database.DB) error {
	var limit int
	err := db.NewRaw("SELECT current_setting('max_prepared_transactions')::int").Scan(ctx, &limit)
	if err != nil {
		return fmt.Errorf("read max_prepared_transactions: %w", err)
	}
	if limit == 0 {
		return errNotAllowed
	}
	return nil
}

var errNotAllowed = errors.New("the PostgreSQL server allows no prepared transactions: set max_prepared_transactions in postgresql.conf " +
	"to the number that may be in doubt at once, 64 say, and restart the server")

type prepared[D any] struct {
	db     *database.DB
	name   string
	prefix string // of the names of our prepared transactions
	work   func(ctx context.Context, tx bun.Tx, txn string, data D) error
	now    func() time.Time
}

// Prepare implements Participant.
func (p *prepared[D]) Prepare(ctx context.Context, txn string, data D) error {
	err := p.alone(ctx, txn, func(conn bun.Conn) error {
		if there, err := p.isPrepared(ctx, conn, txn); there || err != nil {
			return err
		}
		was, err := recall(ctx, p.db, conn, p.name, txn)
		switch {
		case err != nil || was.State == voteCommitted:
			return err
		case was.State == voteAborted:
			return Refused(ErrAborted)
		}
		return p.prepare(ctx, conn, txn, data)
	})
	if err != nil {
		return fmt.Errorf("prepare %s: %w", txn, err)
	}
	return nil
}

func (p *prepared[D]) prepare(ctx context.Context, conn bun.Conn, txn string, data D) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	over := false
	defer func() {
		if !over {
			_ = tx.Rollback()
		}
	}()
	// It appears with the work, when the transaction is committed.
	v := vote{Participant: p.name, Txn: txn, State: voteCommitted, Data: "null", At: p.now().UTC()}
	if _, err := tx.NewInsert().Model(&v).Exec(ctx); err != nil {
		return err
	}
	if err := p.work(ctx, tx, txn, data); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "PREPARE TRANSACTION ?", p.prefix+txn); err != nil {
		if code(err) == "55000" && strings.Contains(err.Error(), "prepared transactions are disabled") {
			return fmt.Errorf("%w (%w)", errNotAllowed, err)
		}
		return err
	}
	over = true
	// The session has no transaction any more: for the server this is a COMMIT of nothing.
	if err := tx.Commit(); err != nil {
		return err
	}
	// A transaction in which a statement had failed was rolled back by PREPARE TRANSACTION without an error.
	if there, err := p.isPrepared(ctx, conn, txn); err != nil || !there {
		return errors.Join(err, errors.New("nothing was prepared: a statement of the work failed and its error was passed over"))
	}
	return nil
}

// Commit implements Participant.
func (p *prepared[D]) Commit(ctx context.Context, txn string) error {
	err := p.alone(ctx, txn, func(conn bun.Conn) error {
		_, err := conn.ExecContext(ctx, "COMMIT PREPARED ?", p.prefix+txn)
		if code(err) != notThere {
			return err
		}
		was, err := recall(ctx, p.db, conn, p.name, txn)
		switch {
		case err != nil || was.State == voteCommitted:
			return err
		case was.State == voteAborted:
			return ErrAborted
		}
		return fmt.Errorf("%w: it was never prepared here", ErrNotFound)
	})
	if err != nil {
		return fmt.Errorf("commit %s: %w", txn, err)
	}
	return nil
}

// Abort implements Participant.
func (p *prepared[D]) Abort(ctx context.Context, txn string) error {
	err := p.alone(ctx, txn, func(conn bun.Conn) error {
		// First, since the row below would wait for it. A Prepare that comes in between finds the lock taken; if this process
		// dies in between, Abort is called again.
		if _, err := conn.ExecContext(ctx, "ROLLBACK PREPARED ?", p.prefix+txn); err != nil && code(err) != notThere {
			return err
		}
		v := vote{Participant: p.name, Txn: txn, State: voteAborted, Data: "null", At: p.now().UTC()}
		if _, err := conn.NewInsert().Model(&v).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
		was, err := recall(ctx, p.db, conn, p.name, txn)
		if err == nil && was.State == voteCommitted {
			err = ErrCommitted
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("abort %s: %w", txn, err)
	}
	return nil
}

// notThere is SQLSTATE undefined_object: there is no prepared transaction of this name.
const notThere = "42704"

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func (p *prepared[D]) isPrepared(ctx context.Context, conn bun.Conn, txn string) (there bool, err error) {
	err = conn.NewRaw("SELECT EXISTS (SELECT 1 FROM pg_prepared_xacts WHERE gid = ? AND database = current_database())", p.prefix+txn).
		Scan(ctx, &there)
	return there, err
}

// alone runs fn on a connection that holds the lock of the transaction: two calls about one transaction never overlap. The lock
// is the session's, since a prepared transaction would keep one of its own.
func (p *prepared[D]) alone(ctx context.Context, txn string, fn func(bun.Conn) error) error {
	if err := checkTxn(txn); err != nil {
		return err
	}
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(p.prefix + txn))
	key := int64(hash.Sum64()) //nolint:gosec // any 64 bits do
	free := false
	defer func() {
		if !free { // closing the connection frees the lock, whatever state it is in
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?)", key); err != nil {
		return err
	}
	failure := fn(conn)
	unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err = conn.ExecContext(unlock, "SELECT pg_advisory_unlock(?)", key)
	free = err == nil
	return failure
}

func (p *prepared[D]) inDoubt(ctx context.Context, age time.Duration) (txns []string, err error) {
	err = p.db.NewRaw("SELECT substr(gid, ?) FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, ?) "+
		"AND prepared <= clock_timestamp() - ? * interval '1 microsecond' ORDER BY prepared",
		len(p.prefix)+1, p.prefix, age.Microseconds()).Scan(ctx, &txns)
	return txns, err
}
