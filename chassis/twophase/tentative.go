package twophase

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// Work is what a Tentative participant does. Each function runs in a transaction together with the record of it, so what it
// does in tx happens once; it may do nothing beside the database.
type Work[D any] struct {
	// Prepare sets aside what Confirm will use: it moves stock from free to reserved. An error marked by Refused votes no.
	Prepare func(ctx context.Context, tx bun.Tx, txn string, data D) error
	// Confirm makes it final: it takes the reserved stock away. It must not fail for a reason that Prepare could have found.
	Confirm func(ctx context.Context, tx bun.Tx, txn string, data D) error
	// Cancel gives back what was set aside.
	Cancel func(ctx context.Context, tx bun.Tx, txn string, data D) error
}

// Tentative makes the participant called name, in db with Migrations applied, that keeps its work in doubt as tentative records of
// its own, like reservations. It works on any database and holds no locks meanwhile.
func Tentative[D any](db *database.DB, name string, work Work[D], ask Ask, opt LocalOptions) (*Local[D], error) {
	l, err := newLocal[D](db, name, ask, opt)
	if err != nil {
		return nil, err
	}
	if work.Prepare == nil || work.Confirm == nil || work.Cancel == nil {
		return nil, fmt.Errorf("twophase: participant %s needs Prepare, Confirm and Cancel", name)
	}
	l.backend = &tentative[D]{db: db, name: name, work: work, now: l.opt.Now}
	return l, nil
}

type tentative[D any] struct {
	db   *database.DB
	name string
	work Work[D]
	now  func() time.Time
}

// Prepare implements Participant.
func (p *tentative[D]) Prepare(ctx context.Context, txn string, data D) error {
	err := p.vote(ctx, txn, votePrepared, data, func(ctx context.Context, tx bun.Tx, was vote) error {
		switch was.State {
		case votePrepared, voteCommitted:
			return nil
		case voteAborted:
			return Refused(ErrAborted)
		}
		return p.work.Prepare(ctx, tx, txn, data)
	})
	if err != nil {
		return fmt.Errorf("prepare %s: %w", txn, err)
	}
	return nil
}

// Commit implements Participant.
func (p *tentative[D]) Commit(ctx context.Context, txn string) error {
	err := p.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		was, err := recall(ctx, p.db, tx, p.name, txn)
		if err != nil {
			return err
		}
		switch was.State {
		case voteCommitted:
			return nil
		case voteAborted:
			return ErrAborted
		case "":
			return fmt.Errorf("%w: it was never prepared here", ErrNotFound)
		}
		return p.end(ctx, tx, was, voteCommitted, p.work.Confirm)
	})
	if err != nil {
		return fmt.Errorf("commit %s: %w", txn, err)
	}
	return nil
}

// Abort implements Participant.
func (p *tentative[D]) Abort(ctx context.Context, txn string) error {
	var none D
	err := p.vote(ctx, txn, voteAborted, none, func(ctx context.Context, tx bun.Tx, was vote) error {
		switch was.State {
		case voteCommitted:
			return ErrCommitted
		case votePrepared:
			return p.end(ctx, tx, was, voteAborted, p.work.Cancel)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("abort %s: %w", txn, err)
	}
	return nil
}

// vote writes down the state of a transaction that is not known yet, and calls fn with what was known. Of several at the same
// time one goes first and the others wait for it.
func (p *tentative[D]) vote(ctx context.Context, txn, state string, data D, fn func(context.Context, bun.Tx, vote) error) error {
	if err := checkTxn(txn); err != nil {
		return err
	}
	text, err := encode(data)
	if err != nil {
		return err
	}
	return p.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		v := vote{Participant: p.name, Txn: txn, State: state, Data: text, At: p.now().UTC()}
		result, err := tx.NewInsert().Model(&v).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			if err != nil {
				return err
			}
			return fn(ctx, tx, vote{})
		}
		was, err := recall(ctx, p.db, tx, p.name, txn)
		if err != nil {
			return err
		}
		return fn(ctx, tx, was)
	})
}

// end brings a prepared transaction to its end.
func (p *tentative[D]) end(ctx context.Context, tx bun.Tx, was vote, state string, fn func(context.Context, bun.Tx, string, D) error) error {
	var data D
	if err := json.Unmarshal([]byte(was.Data), &data); err != nil {
		return fmt.Errorf("the stored data do not fit: %w", err)
	}
	was.State, was.At = state, p.now().UTC()
	if _, err := tx.NewUpdate().Model(&was).Column("state", "at").WherePK().Exec(ctx); err != nil {
		return err
	}
	return fn(ctx, tx, was.Txn, data)
}

func (p *tentative[D]) inDoubt(ctx context.Context, age time.Duration) (txns []string, err error) {
	err = p.db.NewSelect().Table("twophase_vote").Column("txn").Where("participant = ?", p.name).Where("state = ?", votePrepared).
		Where("at <= ?", p.now().UTC().Add(-age)).OrderExpr("at").Scan(ctx, &txns)
	return txns, err
}
