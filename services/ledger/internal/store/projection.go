package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/ledger/internal/domain"
)

// The names of the projections.
const (
	Balances  = "balances"
	Statement = "statement"
)

type balanceRow struct {
	bun.BaseModel `bun:"table:balances"`

	Generation int64  `bun:",pk"`
	Account    string `bun:",pk"`
	Owner      string
	Amount     string
	Currency   string
}

type bookingRow struct {
	bun.BaseModel `bun:"table:bookings"`

	Generation int64  `bun:",pk"`
	Account    string `bun:",pk"`
	Version    int64  `bun:",pk"`
	Kind       string
	Amount     string
	Balance    string
	Currency   string
	Text       string
	At         time.Time
}

// balances is a row for each account, with what it has.
func (s *Store) balances() eventstore.Projection {
	return eventstore.Projection{
		Name: Balances,
		Handle: func(ctx context.Context, tx eventstore.Tx, recorded eventstore.Recorded) error {
			row := balanceRow{Generation: tx.Generation, Account: accountOf(recorded)}
			before, err := row.read(ctx, tx)
			if err != nil {
				return err
			}
			after := before
			if err := apply(&after, recorded); err != nil {
				return err
			}
			row.Owner, row.Amount, row.Currency = after.Owner, after.Balance.Amount(), after.Balance.Currency()
			_, err = tx.NewInsert().Model(&row).On("CONFLICT (generation, account) DO UPDATE").
				Set("amount = EXCLUDED.amount").Exec(ctx)
			return err
		},
		Drop: drop[balanceRow],
	}
}

// read gives the account as the events before left it; without any, the zero account.
func (r *balanceRow) read(ctx context.Context, tx eventstore.Tx) (a domain.Account, err error) {
	err = tx.NewSelect().Model(r).WherePK().Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	a.Owner = r.Owner
	a.Balance, err = money.New(r.Amount, r.Currency)
	return a, err
}

// statement is a row for each event, with what was booked and what the account had then.
func (s *Store) statement() eventstore.Projection {
	return eventstore.Projection{
		Name: Statement,
		Handle: func(ctx context.Context, tx eventstore.Tx, recorded eventstore.Recorded) error {
			event, ok := recorded.Data.(domain.Event)
			if !ok {
				return fmt.Errorf("%T is no event of an account", recorded.Data)
			}
			kind, amount, text, err := domain.Booked(event)
			if err != nil {
				return err
			}
			account, err := lastBooked(ctx, tx, recorded)
			if err != nil {
				return err
			}
			if err := account.Apply(event); err != nil {
				return err
			}
			row := bookingRow{
				Generation: tx.Generation, Account: accountOf(recorded), Version: recorded.Version, Kind: string(kind),
				Amount: amount.Amount(), Balance: account.Balance.Amount(), Currency: amount.Currency(), Text: text, At: recorded.At,
			}
			_, err = tx.NewInsert().Model(&row).Exec(ctx)
			return err
		},
		Drop: drop[bookingRow],
	}
}

// lastBooked gives the account as the row before the event has it.
func lastBooked(ctx context.Context, tx eventstore.Tx, recorded eventstore.Recorded) (a domain.Account, err error) {
	if recorded.Version == 1 {
		return a, nil
	}
	row := bookingRow{Generation: tx.Generation, Account: accountOf(recorded), Version: recorded.Version - 1}
	if err := tx.NewSelect().Model(&row).WherePK().Scan(ctx); err != nil {
		return a, fmt.Errorf("booking %d of %s: %w", row.Version, row.Account, err)
	}
	a.Balance, err = money.New(row.Balance, row.Currency)
	return a, err
}

func drop[Row any](ctx context.Context, tx eventstore.Tx) error {
	_, err := tx.NewDelete().Model((*Row)(nil)).Where("generation = ?", tx.Generation).Exec(ctx)
	return err
}

func accountOf(recorded eventstore.Recorded) string {
	return strings.TrimPrefix(recorded.Stream, kind+"-")
}
