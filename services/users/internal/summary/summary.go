// Package summary keeps what each user has ordered, summed up: a read model, made of the events that tell how orders were settled.
//
// Every settled order is kept as it was told of, once, and the user's summary is brought up to date in the same transaction. So an
// event that comes twice or late changes nothing that is wrong, whoever finds an order here finds it in the summary, and all summaries
// can be made anew from the orders, each in one transaction, while they are read and written.
package summary

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/contracts/money"
)

var (
	// ErrBehind is what WaitFor gives for an order that nobody has told of yet.
	ErrBehind = errors.New("the summary does not know of the order yet")
	// ErrContradiction is an order that was told of before, and settled in another way.
	ErrContradiction = errors.New("the order was settled otherwise")
)

// Order is a settled order.
type Order struct {
	ID        string
	UserID    string
	Completed bool // or cancelled, which counts for nothing but the version
	Total     money.Money
	SettledAt time.Time
}

// Summary is what a user has ordered.
type Summary struct {
	UserID      string
	Version     int64 // settled orders that it knows of
	OrderCount  int64 // completed ones
	LastOrderAt time.Time
	Totals      []money.Money // of the completed ones, a currency each, in order
}

// with gives the summary with one more order.
func (s Summary) with(o Order) (Summary, error) {
	s.Version++
	if !o.Completed {
		return s, nil
	}
	s.OrderCount++
	if o.SettledAt.After(s.LastOrderAt) { // a late event is of an earlier order
		s.LastOrderAt = o.SettledAt
	}
	totals := make([]money.Money, 0, len(s.Totals)+1)
	added := false
	for _, total := range s.Totals {
		if total.Currency() == o.Total.Currency() {
			sum, err := total.Add(o.Total)
			if err != nil {
				return Summary{}, err
			}
			total, added = sum, true
		}
		totals = append(totals, total)
	}
	if !added {
		totals = append(totals, o.Total)
	}
	s.Totals = totals
	return s, nil
}

// Summaries keeps them in the service's own database.
type Summaries struct {
	db         *database.DB
	generation int64
	wait       time.Duration
}

// New makes the summaries of a generation. A larger one than before has Run make all of them anew.
func New(db *database.DB, generation int64) *Summaries {
	return &Summaries{db: db, generation: generation, wait: 2 * time.Second}
}

// orderRow is an order as it is kept.
type orderRow struct {
	bun.BaseModel `bun:"table:settled_orders"`

	OrderID   string `bun:",pk"`
	UserID    string
	Completed bool
	Amount    string
	Currency  string
	SettledAt time.Time
}

func (r orderRow) order() (Order, error) {
	total, err := money.New(r.Amount, r.Currency)
	return Order{ID: r.OrderID, UserID: r.UserID, Completed: r.Completed, Total: total, SettledAt: r.SettledAt.UTC()}, err
}

// Record adds a settled order to its user's summary, in the consumer's transaction. One that is known already changes nothing.
func (s *Summaries) Record(ctx context.Context, tx bun.Tx, o Order) error {
	before, err := s.lock(ctx, tx, o.UserID)
	if err != nil {
		return err
	}
	row := orderRow{OrderID: o.ID, UserID: o.UserID, Completed: o.Completed, Amount: o.Total.Amount(), Currency: o.Total.Currency(), SettledAt: o.SettledAt.UTC()}
	result, err := tx.NewInsert().Model(&row).On("CONFLICT (order_id) DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("keep order %s: %w", o.ID, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, s.agree(ctx, tx, o))
	}
	after, err := before.with(o)
	if err != nil {
		return fmt.Errorf("sum up order %s: %w", o.ID, err)
	}
	return s.write(ctx, tx, after)
}

// agree compares an order with what was told of it before.
func (s *Summaries) agree(ctx context.Context, tx bun.Tx, o Order) error {
	var row orderRow
	if err := tx.NewSelect().Model(&row).Where("order_id = ?", o.ID).Scan(ctx); err != nil {
		return fmt.Errorf("select order %s: %w", o.ID, err)
	}
	known, err := row.order()
	if err != nil {
		return err
	}
	if known.UserID != o.UserID || known.Completed != o.Completed || !known.Total.Equal(o.Total) {
		return fmt.Errorf("order %s: %w", o.ID, ErrContradiction)
	}
	return nil
}

// Get gives a user's summary, which is empty for one who has ordered nothing.
func (s *Summaries) Get(ctx context.Context, userID string) (Summary, error) {
	return read(ctx, s.db, userID)
}

// WaitFor waits until the user's summary knows of an order, and gives ErrBehind when that takes too long.
func (s *Summaries) WaitFor(ctx context.Context, userID, orderID string) error {
	waited, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var n int // exists
		err := s.db.NewSelect().Model((*orderRow)(nil)).ColumnExpr("1").Where("order_id = ?", orderID).Where("user_id = ?", userID).Scan(ctx, &n)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("look for order %s: %w", orderID, err)
		}
		select {
		case <-waited.Done():
			return errors.Join(ErrBehind, ctx.Err())
		case <-time.After(pause):
		}
	}
}
