package twophase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/internal/lease"
)

// Ask asks the coordinator of a transaction what became of it: Coordinator.Decision, usually behind an HTTP call.
type Ask func(ctx context.Context, txn string) (Decision, error)

// LocalOptions tune a Local. The zero value is right for a service.
type LocalOptions struct {
	InDoubt   time.Duration         // a transaction prepared for longer than this is asked after; default 30s
	Every     time.Duration         // how often to look for such; default 10s
	Timeout   time.Duration         // of asking for one and bringing it to its end; default 5s
	Retention time.Duration         // how long the end of a transaction is remembered, longer than any coordinator repeats it; default 30 days
	Log       *slog.Logger          // default: slog.Default
	Registry  prometheus.Registerer // nil: no metrics
	Now       func() time.Time      // default: time.Now
}

func (o LocalOptions) withDefaults() LocalOptions {
	defaultTo(&o.InDoubt, 30*time.Second)
	defaultTo(&o.Every, 10*time.Second)
	defaultTo(&o.Timeout, 5*time.Second)
	defaultTo(&o.Retention, 30*24*time.Hour)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Local is a participant whose work is in the service's own database. Its handlers call Prepare, Commit and Abort, and Run
// brings to an end what a coordinator was cut off from. All three bear repetition, in any order and at the same time:
//
//   - Prepare again votes yes again, without doing the work twice, also after Commit; after Abort it votes no.
//   - Commit again does nothing. Commit of what was never prepared, or was aborted, is an error, which no coordinator brings about.
//   - Abort again, or of what is not known, remembers the abort. Abort of what was committed is an error.
type Local[D any] struct {
	backend[D]
	db      *database.DB
	name    string
	ask     Ask
	opt     LocalOptions
	metrics metrics
}

// backend is a way to keep a transaction in doubt.
type backend[D any] interface {
	Prepare(ctx context.Context, txn string, data D) error
	Commit(ctx context.Context, txn string) error
	Abort(ctx context.Context, txn string) error
	inDoubt(ctx context.Context, age time.Duration) (txns []string, err error)
}

func newLocal[D any](db *database.DB, name string, ask Ask, opt LocalOptions) (*Local[D], error) {
	switch {
	case db == nil:
		return nil, errors.New("twophase: a participant needs a database")
	case !validName.MatchString(name):
		return nil, fmt.Errorf("twophase: the participant's name %q must be of lower-case letters, digits and dashes", name)
	case ask == nil:
		return nil, fmt.Errorf("twophase: participant %s has nobody to ask for a decision", name)
	}
	opt = opt.withDefaults()
	opt.Log = opt.Log.With("participant", name)
	metrics, err := newMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("twophase: metrics: %w", err)
	}
	return &Local[D]{db: db, name: name, ask: ask, opt: opt, metrics: metrics}, nil
}

// Run asks for the decisions on transactions in doubt, at once and then now and again until ctx ends, and deletes what is
// remembered longer than Retention. Any number of processes may run it at once.
func (l *Local[D]) Run(ctx context.Context) error {
	failed := func(err error) { l.opt.Log.Warn("transactions in doubt cannot be brought to an end", "error", err) }
	lease.Every(ctx, l.opt.Every, func(ctx context.Context) error { return errors.Join(l.Recover(ctx, l.opt.InDoubt), l.clean(ctx)) }, failed)
	return nil
}

// Recover asks once for the decisions on all transactions that have been prepared for longer than age, and brings to an end
// those that are decided. Its error tells of those for which that did not succeed.
func (l *Local[D]) Recover(ctx context.Context, age time.Duration) error {
	txns, err := l.inDoubt(ctx, age)
	if err != nil {
		return fmt.Errorf("list transactions in doubt: %w", err)
	}
	l.metrics.inDoubt.WithLabelValues(l.name).Set(float64(len(txns)))
	var errs []error
	for _, txn := range txns {
		if err := l.end(ctx, txn); err != nil {
			errs = append(errs, fmt.Errorf("transaction %s: %w", txn, err))
		}
	}
	return errors.Join(errs...)
}

func (l *Local[D]) end(ctx context.Context, txn string) error {
	ctx, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	decision, err := l.ask(ctx, txn)
	if err != nil {
		return fmt.Errorf("ask for the decision: %w", err)
	}
	switch decision {
	case Commit:
		err = l.Commit(ctx, txn)
	case Abort:
		err = l.Abort(ctx, txn)
	case Undecided:
		return nil
	default:
		err = fmt.Errorf("the coordinator answered %q", decision)
	}
	if err == nil {
		l.opt.Log.Info("a transaction in doubt was brought to an end", "txn", txn, "decision", decision)
	}
	return err
}

func (l *Local[D]) clean(ctx context.Context) error {
	return inBatches(func() (int64, error) {
		old := l.db.NewSelect().Table("twophase_vote").Column("txn").Where("participant = ?", l.name).
			Where("state <> ?", votePrepared).Where("at < ?", l.opt.Now().UTC().Add(-l.opt.Retention)).Limit(cleanBatch)
		return deleted(ctx, l.db.NewDelete().Table("twophase_vote").Where("participant = ?", l.name).Where("txn IN (?)", old))
	})
}

// vote is what a participant remembers of a transaction.
type vote struct {
	bun.BaseModel `bun:"table:twophase_vote,alias:vote"`

	Participant string `bun:",pk"`
	Txn         string `bun:",pk"`
	State       string
	Data        string
	At          time.Time
}

const (
	votePrepared  = "prepared"
	voteCommitted = "committed"
	voteAborted   = "aborted"
)

// longestTxn fits, with a participant's name, into the 199 bytes that PostgreSQL gives to the name of a prepared transaction.
const longestTxn = 140

func checkTxn(txn string) error {
	if txn == "" || len(txn) > longestTxn {
		return fmt.Errorf("the transaction's name %q must have 1 to %d bytes", txn, longestTxn)
	}
	return nil
}

// recall gives what is remembered of a transaction; State is "" when nothing is. With it comes the row's lock.
func recall(ctx context.Context, db *database.DB, tx bun.IDB, participant, txn string) (vote, error) {
	var votes []vote
	query := tx.NewSelect().Model(&votes).Where("participant = ?", participant).Where("txn = ?", txn)
	if err := db.ForUpdate(query).Scan(ctx); err != nil || len(votes) == 0 {
		return vote{}, err
	}
	return votes[0], nil
}

func encode[D any](data D) (string, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("the transaction's data: %w", err)
	}
	return string(text), nil
}
