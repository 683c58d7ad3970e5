package idempotency

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

var (
	errReused = problem.Invalid("idempotency_key_reused",
		"The Idempotency-Key was used for another request. Take a new key for a new request.")
	errInProgress = problem.Conflict("idempotency_in_progress",
		"A request with this Idempotency-Key is under way. Repeat the request to get its answer.").WithRetryAfter(time.Second)
	errNotKept = problem.Conflict("idempotency_answer_not_kept",
		"The request with this Idempotency-Key was carried out, but its answer was too large to be kept. Look up what it made.")

	// ErrTakenOver is what Complete gives when the request took longer than its claim's lease and another one, with the same key,
	// carries it out. The transaction must be rolled back, so return it.
	ErrTakenOver = problem.Conflict("idempotency_taken_over",
		"The request took too long and its repetition took over. Repeat the request to get the answer.").WithRetryAfter(time.Second)
)

// row is a key in the table. It is in progress until it has CompletedAt.
type row struct {
	bun.BaseModel `bun:"table:idempotency"`

	ID          string `bun:",pk"`
	Operation   string
	Fingerprint string
	Claim       string // random: a claim that was given up must not be mistaken for a later one
	ClaimedAt   time.Time
	LeaseUntil  time.Time
	ExpiresAt   time.Time
	CompletedAt time.Time `bun:",nullzero"`
	Status      int       // 0: the answer was too large to be kept
	Header      string    // as JSON
	Body        []byte
}

// claim is the right to carry out the request of a key.
type claim struct {
	keys      *Keys
	row       row
	completed atomic.Bool // in a transaction that has been committed
}

type claimKey struct{}

// Complete stores the answer of the request that ctx belongs to, in the transaction of its effect: if it commits, every
// repetition of the request gets this answer, and none is carried out. The answer is what respond writes, as the methods
// Visit…Response of a generated answer do. Without a key in the request it does nothing.
//
// It gives ErrTakenOver when the transaction must not commit, since a repetition is being carried out. The database is the one
// that Keys were made with.
func Complete(ctx context.Context, tx bun.Tx, respond func(http.ResponseWriter) error) error {
	c, ok := ctx.Value(claimKey{}).(*claim)
	if !ok {
		return nil
	}
	a := newRecording(c.keys.opt.AnswerLimit)
	if err := respond(a); err != nil {
		return fmt.Errorf("complete the idempotency key: make the answer: %w", err)
	}
	if a.overflown {
		return fmt.Errorf("complete the idempotency key: the answer has more than %d bytes: raise Options.AnswerLimit", c.keys.opt.AnswerLimit)
	}
	r, err := c.answered(a.status, a.Header(), a.body)
	if err != nil {
		return fmt.Errorf("complete the idempotency key: %w", err)
	}
	n, err := affected(completing(tx, &r).Exec(ctx))
	if err != nil {
		return fmt.Errorf("complete the idempotency key: %w", err)
	}
	if n == 0 {
		c.keys.metrics.count(c.row.Operation, takenOver)
		return ErrTakenOver
	}
	database.AfterCommit(ctx, func() { c.completed.Store(true) })
	return nil
}

func completing(db bun.IDB, r *row) *bun.UpdateQuery {
	return db.NewUpdate().Model(r).Column("completed_at", "status", "header", "body").WherePK().Where("claim = ?", r.Claim)
}

// answered is the claim's row with an answer.
func (c *claim) answered(status int, header http.Header, body []byte) (row, error) {
	r := c.row
	r.CompletedAt = c.keys.opt.Now().UTC()
	r.Status, r.Body = status, body
	var err error
	r.Header, err = encodeHeader(header, c.keys.opt.Headers)
	return r, err
}

// take claims the key, or gives the answer that was kept for it.
func (k *Keys) take(ctx context.Context, r row) (*claim, *row, error) {
	for {
		taken, found, err := k.try(ctx, r)
		switch {
		case err != nil:
			return nil, nil, err
		case taken:
			return &claim{keys: k, row: r}, nil, nil
		case found == nil: // it was given up in between
			continue
		case found.Fingerprint != r.Fingerprint:
			return nil, nil, errReused
		case found.CompletedAt.IsZero():
			return nil, nil, errInProgress
		case found.Status == 0:
			return nil, nil, errNotKept
		}
		return nil, found, nil
	}
}

// try inserts the row, or takes over one whose owner let its lease pass, or whose time is over; else it gives the row that is
// there.
func (k *Keys) try(ctx context.Context, r row) (taken bool, found *row, err error) {
	err = k.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		taken, found = false, nil
		n, err := affected(tx.NewInsert().Model(&r).On("CONFLICT (id) DO NOTHING").Exec(ctx))
		if taken = n == 1; err != nil || taken {
			return err
		}
		var there row
		err = tx.NewSelect().Model(&there).Where("id = ?", r.ID).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		expired := !there.ExpiresAt.After(r.ClaimedAt)
		left := there.CompletedAt.IsZero() && !there.LeaseUntil.After(r.ClaimedAt)
		if !expired && (!left || there.Fingerprint != r.Fingerprint) {
			found = &there
			return nil
		}
		// Only if nobody else, its owner included, was quicker. Else the next round sees what they did.
		query := tx.NewUpdate().Model(&r).WherePK().Where("claim = ?", there.Claim)
		if !expired {
			query.Where("completed_at IS NULL")
		}
		n, err = affected(query.Exec(ctx))
		taken = n == 1
		return err
	})
	if err != nil {
		return false, nil, fmt.Errorf("claim the idempotency key: %w", err)
	}
	return taken, found, nil
}

// newRow is a claim that begins now.
func (k *Keys) newRow(ctx context.Context, op *operation, key, fingerprint string) row {
	now := k.opt.Now().UTC()
	until := now.Add(k.opt.Lease)
	if k.opt.Lease == 0 {
		until = now.Add(noDeadline)
		if deadline, ok := ctx.Deadline(); ok {
			until = now.Add(time.Until(deadline) + settleTimeout)
		}
	}
	expires := now.Add(k.opt.Expiry)
	if expires.Before(until) {
		expires = until
	}
	return row{
		ID: idOf(k.opt.Principal(ctx), op.id, key), Operation: op.id, Fingerprint: fingerprint, Claim: rand.Text(),
		ClaimedAt: now, LeaseUntil: until, ExpiresAt: expires,
	}
}

// giveUp lets a repetition be carried out at once, unless the key was completed after all: a transaction may have committed
// though its caller got an error.
func (c *claim) giveUp(ctx context.Context) error {
	return c.keys.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model(&c.row).WherePK().Where("claim = ?", c.row.Claim).Where("completed_at IS NULL").Exec(ctx)
		return err
	})
}

// keep stores an answer that was not completed in a transaction.
func (c *claim) keep(ctx context.Context, status int, header http.Header, body []byte) error {
	r, err := c.answered(status, header, body)
	if err != nil {
		return err
	}
	return c.keys.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := completing(tx, &r).Where("completed_at IS NULL").Exec(ctx)
		return err
	})
}

func affected(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
