package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/ledger/internal/domain"
)

// Balance is what the read model knows of an account.
type Balance struct {
	ID string
	domain.Account
}

// Booking is a line of a statement.
type Booking struct {
	Version         int64
	Kind            domain.Kind
	Amount, Balance money.Money
	Text            string
	At              time.Time
}

// Balances gives at most limit accounts with ids greater than after, in the order of their ids.
func (s *Store) Balances(ctx context.Context, after string, limit int) ([]Balance, error) {
	var rows []balanceRow
	err := s.db.NewSelect().Model(&rows).Where("generation = (?)", eventstore.Live(Balances)).Where("account > ?", after).
		Order("account").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select balances: %w", err)
	}
	balances := make([]Balance, len(rows))
	for i, row := range rows {
		balances[i] = Balance{ID: row.Account, Account: domain.Account{Owner: row.Owner}}
		if balances[i].Balance, err = money.New(row.Amount, row.Currency); err != nil {
			return nil, err
		}
	}
	return balances, nil
}

// Bookings gives at most limit bookings on an account, the latest first.
func (s *Store) Bookings(ctx context.Context, id string, limit int) ([]Booking, error) {
	var rows []bookingRow
	err := s.db.NewSelect().Model(&rows).Where("generation = (?)", eventstore.Live(Statement)).Where("account = ?", id).
		Order("version DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("select bookings: %w", err)
	}
	bookings := make([]Booking, len(rows))
	for i, row := range rows {
		bookings[i] = Booking{Version: row.Version, Kind: domain.Kind(row.Kind), Text: row.Text, At: row.At.UTC()}
		var amount, balance error
		bookings[i].Amount, amount = money.New(row.Amount, row.Currency)
		bookings[i].Balance, balance = money.New(row.Balance, row.Currency)
		if err := errors.Join(amount, balance); err != nil {
			return nil, err
		}
	}
	return bookings, nil
}

// Await waits until the statement has seen a version of an account: ErrVersion when there is none such, ErrNotYet when the time of
// ctx is over.
func (s *Store) Await(ctx context.Context, id string, version int64) error {
	events, err := s.events.Load(ctx, s.accounts.Stream(id), eventstore.Range{From: version, To: version})
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return ErrVersion
	}
	err = s.projector.WaitFor(ctx, Statement, events[0].Position)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrNotYet, err)
	}
	return err
}
