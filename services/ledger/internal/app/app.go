// Package app is what ledger does: open accounts, book on them, and tell what they have and had.
package app

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/ledger/internal/domain"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
)

// Store keeps accounts; *store.Store says what its methods do.
type Store interface {
	Create(ctx context.Context, id string, event domain.AccountCreated, keep store.Keep) error
	Change(ctx context.Context, id string, decide store.Decide, keep store.Keep) error
	Get(ctx context.Context, id string, at time.Time) (store.Account, error)
	Balances(ctx context.Context, after string, limit int) ([]store.Balance, error)
	Bookings(ctx context.Context, id string, limit int) ([]store.Booking, error)
	Await(ctx context.Context, id string, version int64) error
}

// patience is how long a reader waits for the statement to see what was just booked.
const patience = 2 * time.Second

// Ledger does what the service is for.
type Ledger struct {
	store    Store
	patience time.Duration
	newID    func() string
}

// New makes the service's use cases.
func New(store Store) *Ledger {
	return &Ledger{store: store, patience: patience, newID: newID}
}

// newID gives ids that sort by the time they were made at, as the pages of a list need it.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// Open opens an account. Keep is called with it in the transaction.
func (l *Ledger) Open(ctx context.Context, owner string, opening money.Money, keep store.Keep) error {
	event, err := domain.Open(owner, opening)
	if err != nil {
		return err
	}
	return l.store.Create(ctx, l.newID(), event, keep)
}

// Deposit puts money into an account.
func (l *Ledger) Deposit(ctx context.Context, id string, amount money.Money, text string, keep store.Keep) error {
	return l.store.Change(ctx, id, func(a domain.Account) (domain.Event, error) { return a.Deposit(amount, text) }, keep)
}

// Withdraw takes money out of an account that has it.
func (l *Ledger) Withdraw(ctx context.Context, id string, amount money.Money, text string, keep store.Keep) error {
	return l.store.Change(ctx, id, func(a domain.Account) (domain.Event, error) { return a.Withdraw(amount, text) }, keep)
}

// Get gives an account as it is or, at a moment that is not zero, as it was.
func (l *Ledger) Get(ctx context.Context, id string, at time.Time) (store.Account, error) {
	return l.store.Get(ctx, id, at)
}

// Balances gives at most limit accounts with ids greater than after.
func (l *Ledger) Balances(ctx context.Context, after string, limit int) ([]store.Balance, error) {
	return l.store.Balances(ctx, after, limit)
}

// Statement gives at most limit bookings on an account, the latest first. It waits, but not for long, until version since is
// among what it knows: whoever has just booked, and was told the version, so reads his own booking. Its errors are
// store.ErrNotFound, store.ErrVersion and store.ErrNotYet.
func (l *Ledger) Statement(ctx context.Context, id string, since int64, limit int) ([]store.Booking, error) {
	bookings, err := l.statement(ctx, id, since, limit)
	if errors.Is(err, store.ErrVersion) || err == nil && len(bookings) == 0 {
		// Each account has a booking from its first moment on, so there is none, or the statement does not know it yet.
		if _, err := l.store.Get(ctx, id, time.Time{}); err != nil {
			return nil, err
		}
	}
	if err == nil && len(bookings) == 0 {
		return nil, store.ErrNotYet
	}
	return bookings, err
}

func (l *Ledger) statement(ctx context.Context, id string, since int64, limit int) ([]store.Booking, error) {
	if since > 0 {
		waiting, cancel := context.WithTimeout(ctx, l.patience)
		defer cancel()
		if err := l.store.Await(waiting, id, since); err != nil {
			return nil, err
		}
	}
	return l.store.Bookings(ctx, id, limit)
}
