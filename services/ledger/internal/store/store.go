// Package store keeps accounts as events, and the read models that are built from them.
package store

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
	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/contracts/money"
	"github.com/trellis-mesh/trellis/services/ledger/internal/domain"
)

var (
	// ErrNotFound is an account that there is not, or was not yet at the moment asked for.
	ErrNotFound = errors.New("account not found")
	// ErrBusy is an account that others changed each time while this change was decided.
	ErrBusy = errors.New("the account was changed by others again and again")
	// ErrVersion is a version that the account has not come to.
	ErrVersion = errors.New("the account has no such version")
	// ErrNotYet is a read model that has not come as far as was asked for within the time that there was.
	ErrNotYet = errors.New("the read model has not come so far yet")
)

// Options tune a Store. The zero value is right for a service.
type Options struct {
	Log       *slog.Logger
	Registry  prometheus.Registerer
	Now       func() time.Time
	Projector eventstore.ProjectorOptions
}

// Store keeps accounts.
type Store struct {
	db        *database.DB
	events    *eventstore.Store
	accounts  *eventstore.Repository[domain.Account]
	projector *eventstore.Projector
}

// The names of the events' types, and how often a snapshot of an account is kept.
const (
	created       = "account.created"
	deposited     = "money.deposited"
	withdrawn     = "money.withdrawn"
	kind          = "account"
	snapshotEvery = 50
	// attempts of a change that meets others. Each time one of them gets through, so this many at once do no harm.
	attempts = 64
)

// types says which events there are, and how old ones become those of today.
func types() *eventstore.Types {
	types := eventstore.NewTypes()
	eventstore.Define[domain.AccountCreated](types, created, 1)
	eventstore.Define[domain.MoneyDeposited](types, deposited, 2)
	eventstore.Upcast(types, deposited, 1, domain.MoneyDepositedV1.Upcast)
	eventstore.Define[domain.MoneyWithdrawn](types, withdrawn, 1)
	return types
}

// New makes a store in db, which has the service's migrations and those of the event store.
func New(db *database.DB, opt Options) (*Store, error) {
	s := &Store{db: db}
	var err error
	s.events, err = eventstore.New(db, types(), eventstore.Options{Log: opt.Log, Registry: opt.Registry, Now: opt.Now})
	if err != nil {
		return nil, err
	}
	s.accounts, err = eventstore.NewRepository(s.events, eventstore.Aggregate[domain.Account]{
		Name: kind, Apply: apply, Attempts: attempts,
		Snapshot: eventstore.Snapshot[domain.Account]{Every: snapshotEvery, Schema: 1, Encode: encode, Decode: decode},
	})
	if err != nil {
		return nil, err
	}
	s.projector, err = eventstore.NewProjector(s.events, opt.Projector, s.balances(), s.statement())
	return s, err
}

// Projector keeps the read models up to date; it is to be run.
func (s *Store) Projector() *eventstore.Projector { return s.projector }

func apply(a *domain.Account, recorded eventstore.Recorded) error {
	event, ok := recorded.Data.(domain.Event)
	if !ok {
		return fmt.Errorf("%T is no event of an account", recorded.Data)
	}
	return a.Apply(event)
}

// snapshot is an account as a snapshot keeps it.
type snapshot struct{ Owner, Amount, Currency string }

func encode(a *domain.Account) ([]byte, error) {
	return json.Marshal(snapshot{Owner: a.Owner, Amount: a.Balance.Amount(), Currency: a.Balance.Currency()})
}

func decode(text []byte, a *domain.Account) error {
	var kept snapshot
	if err := json.Unmarshal(text, &kept); err != nil {
		return err
	}
	balance, err := money.New(kept.Amount, kept.Currency)
	*a = domain.Account{Owner: kept.Owner, Balance: balance}
	return err
}

// Account is an account at one of its versions.
type Account struct {
	ID string
	domain.Account
	Version  int64
	OpenedAt time.Time
}

// Decide says which event follows from a command to an account, or why none does.
type Decide func(domain.Account) (domain.Event, error)

// Keep is called with a changed account in the transaction of the change, which an error of it undoes.
type Keep func(ctx context.Context, tx bun.Tx, changed Account) error

// Create keeps a new account.
func (s *Store) Create(ctx context.Context, id string, event domain.AccountCreated, keep Keep) error {
	return s.change(ctx, keep, func(ctx context.Context, _ *domain.Account) (eventstore.Commit, error) {
		return s.accounts.Create(ctx, id, func(*domain.Account) ([]any, error) { return []any{event}, nil })
	}, id)
}

// Change keeps what decide makes of an account. When others change the account meanwhile it is decided anew; ErrBusy is what is
// left when that happens again and again.
func (s *Store) Change(ctx context.Context, id string, decide Decide, keep Keep) error {
	return s.change(ctx, keep, func(ctx context.Context, before *domain.Account) (eventstore.Commit, error) {
		return s.accounts.Update(ctx, id, func(a *domain.Account) ([]any, error) {
			*before = *a
			event, err := decide(*a)
			return []any{event}, err
		})
	}, id)
}

// change appends, and gives the account as it is then to keep, in one transaction.
func (s *Store) change(ctx context.Context, keep Keep, appending func(context.Context, *domain.Account) (eventstore.Commit, error), id string) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		changed := Account{ID: id}
		commit, err := appending(ctx, &changed.Account)
		if err != nil {
			return err
		}
		changed.Version = commit.Version
		added, err := s.events.Load(ctx, commit.Stream, eventstore.Range{From: commit.Version, In: tx})
		if err != nil {
			return err
		}
		for _, event := range added {
			if err := apply(&changed.Account, event); err != nil {
				return err
			}
		}
		if changed.OpenedAt, err = s.openedAt(ctx, commit.Stream, tx); err != nil {
			return err
		}
		return keep(ctx, tx, changed)
	})
	return translated(err)
}

// openedAt is the time of a stream's first event.
func (s *Store) openedAt(ctx context.Context, stream string, in bun.IDB) (time.Time, error) {
	first, err := s.events.Load(ctx, stream, eventstore.Range{To: 1, In: in})
	if err != nil || len(first) == 0 {
		return time.Time{}, err
	}
	return first[0].At, nil
}

// Get gives an account as it is, or as it was at a moment.
func (s *Store) Get(ctx context.Context, id string, at time.Time) (Account, error) {
	got := Account{ID: id}
	var err error
	if at.IsZero() {
		got.Account, got.Version, err = s.accounts.Get(ctx, id)
	} else {
		got.Account, got.Version, err = s.accounts.GetAsOf(ctx, id, at)
	}
	if err == nil {
		got.OpenedAt, err = s.openedAt(ctx, s.accounts.Stream(id), nil)
	}
	return got, translated(err)
}

// translated is the error in this package's terms.
func translated(err error) error {
	switch {
	case errors.Is(err, eventstore.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, eventstore.ErrConflict):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}
