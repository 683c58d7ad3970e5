package twophase

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

// Transaction is one transaction as the coordinator's log has it.
type Transaction struct {
	ID         string
	State      State
	Members    []string
	Pending    []string // those that have not confirmed the decision
	Attempts   int      // rounds of telling them
	Cause      string   // why it was aborted
	LastError  string
	CreatedAt  time.Time
	DecidedAt  time.Time // zero while it is preparing
	FinishedAt time.Time // zero until all participants have confirmed
}

// Get gives a transaction, or ErrNotFound.
func (c *Coordinator[D]) Get(ctx context.Context, id string) (Transaction, error) {
	r := row{Name: c.name, ID: id}
	err := c.db.NewSelect().Model(&r).WherePK().Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Transaction{}, fmt.Errorf("get transaction %s: %w", r.txn(), err)
	}
	return transactionOf(r), nil
}

// List gives the transactions in a state, oldest first, at most limit; 0 gives all.
func (c *Coordinator[D]) List(ctx context.Context, state State, limit int) ([]Transaction, error) {
	var rows []row
	query := c.db.NewSelect().Model(&rows).Where("name = ?", c.name).Where("state = ?", state).OrderExpr("created_at, id")
	if limit > 0 {
		query.Limit(int64(limit))
	}
	if err := query.Scan(ctx); err != nil {
		return nil, fmt.Errorf("list transactions of %s: %w", c.name, err)
	}
	list := make([]Transaction, len(rows))
	for i, r := range rows {
		list[i] = transactionOf(r)
	}
	return list, nil
}

func transactionOf(r row) Transaction {
	return Transaction{
		ID: r.ID, State: r.State, Members: r.Members, Pending: r.Pending, Attempts: r.Attempts, Cause: r.Cause, LastError: r.LastError,
		CreatedAt: r.CreatedAt, DecidedAt: r.DecidedAt, FinishedAt: r.FinishedAt,
	}
}

// Decision answers a participant in doubt, who names the transaction as it was named to it. Commit and Abort stay true for ever:
// a transaction that is not known, or whose time to vote is over, is aborted by the question, so that it cannot be committed
// afterwards. One that is still being voted on is Undecided.
func (c *Coordinator[D]) Decision(ctx context.Context, txn string) (Decision, error) {
	id, ok := strings.CutPrefix(txn, c.name+"/")
	if !ok || id == "" {
		return "", fmt.Errorf("decision on %s: it is none of coordinator %s: %w", txn, c.name, ErrNotFound)
	}
	decision := Undecided
	err := c.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		decision, err = c.answer(ctx, tx, id)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("decision on %s: %w", txn, err)
	}
	return decision, nil
}

func (c *Coordinator[D]) answer(ctx context.Context, tx bun.Tx, id string) (Decision, error) {
	now := c.opt.Now().UTC()
	// Inserted first: while a Begin of this id is not committed, this waits for it.
	grave := row{
		Name: c.name, ID: id, State: Aborted, Data: "null", Members: names{}, Pending: names{}, Cause: "a participant asked for it, and it was not known",
		CreatedAt: now, Deadline: now, DecidedAt: now, FinishedAt: now,
	}
	if _, err := tx.NewInsert().Model(&grave).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return "", err
	}
	r := row{Name: c.name, ID: id}
	if err := c.db.ForUpdate(tx.NewSelect().Model(&r).WherePK()).Scan(ctx); err != nil {
		return "", err
	}
	if r.State != Preparing || !now.After(r.Deadline) {
		return r.State.decision(), nil
	}
	r.State, r.Pending, r.Attempts, r.DecidedAt = Aborting, r.Members, 0, now
	r.Cause = "a participant asked for it after the time to vote was over"
	_, err := tx.NewUpdate().Model(&r).Column("state", "pending", "attempts", "cause", "decided_at").
		Set("fence = fence + 1").Set("due_at = ?", c.queue.In(0)).WherePK().Exec(ctx)
	if err != nil {
		return "", err
	}
	database.AfterCommit(ctx, c.queue.Wake)
	return Abort, c.callDecided(ctx, tx, &r)
}
