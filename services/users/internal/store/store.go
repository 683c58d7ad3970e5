// Package store keeps users in the shards of the service's database, and whose an e-mail address is in the database of its own.
//
// A transaction is of one database, so a registration takes three, in an order in which a crash between them does no harm: the
// address is claimed for an id, the user of that id is kept in its shard together with the event that tells of it, the claim is
// confirmed. A claim that was left unconfirmed is settled by whoever wants the address next: the user is there, and has it; or
// its id is made void in the shard, so that the user can never be kept any more, and the address is taken over.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/shard"
)

var (
	// ErrNotFound is a user or a client that is not known.
	ErrNotFound = errors.New("not found")
	// ErrTaken is what Create gives for an e-mail address that another user has.
	ErrTaken = errors.New("e-mail address is taken")
	// ErrPending is what Create gives for an e-mail address that somebody else is registering at this moment.
	ErrPending = errors.New("e-mail address is being registered")
)

// User is what the service keeps.
type User struct {
	bun.BaseModel `bun:"table:users"`

	ID        string `bun:",pk"`
	Partition string // set by the store
	Email     string // in lower case
	Name      string
	SortKey   string // set by the store
	Region    string
	Avatar    string // a URL, or empty
	CreatedAt time.Time
	// PasswordHash is empty for a user who cannot log in.
	PasswordHash string
	// Void is set for an id that was given up. It is no user, and no method gives it.
	Void bool
}

// Options say where users are kept. All but Log and Registry are needed.
type Options struct {
	Own      *database.DB            // addresses and clients, and the users from before there were shards
	Shards   map[string]*database.DB // with shard.Migrations applied
	Order    []string                // the shards' names as they are declared; the first ones stay what they are
	Outboxes map[string]*outbox.Outbox
	Sharding string // hash, range or region
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Store keeps users.
type Store struct {
	Options

	layout layout
	router *shard.Router
	grace  time.Duration // how old a claim must be before somebody else gives it up
	wait   time.Duration // how long a younger one is waited for
	now    func() time.Time
	step   func(at string) error // called between the transactions of a registration; tests end it there
}

// Open makes a store. By what the users are spread, and which shard tells where they are, is fixed when it is called the first
// time ever; another Sharding is refused from then on, as nobody would find what is there.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	layout, err := newLayout(opt.Sharding, opt.Order)
	if err != nil {
		return nil, err
	}
	directory, err := fix(ctx, opt)
	if err != nil {
		return nil, err
	}
	router, err := shard.New(ctx, opt.Shards, layout.strategy, shard.Options{
		Directory: directory, Tables: []shard.Table{{Name: "users", ID: "id"}}, Log: opt.Log, Registry: opt.Registry,
	})
	if err != nil {
		return nil, err
	}
	return &Store{
		Options: opt, layout: layout, router: router, now: time.Now, step: func(string) error { return nil },
		grace: 15 * time.Second, // no request takes longer
		wait:  time.Second,
	}, nil
}

// fixed is what never changes once there are users.
type fixed struct {
	bun.BaseModel `bun:"table:sharding"`

	One       int `bun:",pk"`
	Strategy  string
	Directory string
}

// fix writes down the strategy and the directory, or reads what was written first.
func fix(ctx context.Context, opt Options) (directory string, err error) {
	row := fixed{One: 1, Strategy: opt.Sharding, Directory: opt.Order[0]}
	if _, err := opt.Own.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return "", fmt.Errorf("fix the sharding: %w", err)
	}
	if err := opt.Own.NewSelect().Model(&row).WherePK().Scan(ctx); err != nil {
		return "", fmt.Errorf("read the sharding: %w", err)
	}
	if row.Strategy != opt.Sharding {
		return "", fmt.Errorf("users.sharding is %s, but the users are spread by %s since the first start: set it back", opt.Sharding, row.Strategy)
	}
	return row.Directory, nil
}

// Get gives the user of an id, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (User, error) {
	if s.layout.byID {
		user, err := s.read(ctx, claim{UserID: id})
		if errors.Is(err, ErrNotFound) {
			return s.early(ctx, id)
		}
		return user, err
	}
	held, err := one[claim](ctx, s.Own, "claim", "user_id = ?", id)
	if err != nil {
		return User{}, err
	}
	return s.held(ctx, held)
}

// UserByEmail gives the user with an address in lower case, or ErrNotFound.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	held, err := one[claim](ctx, s.Own, "claim", "email = ?", email)
	if err != nil {
		return User{}, err
	}
	return s.held(ctx, held)
}

// held gives the user of a claim, confirmed or not.
func (s *Store) held(ctx context.Context, c claim) (User, error) {
	if c.Partition == "" {
		return s.early(ctx, c.UserID)
	}
	return s.read(ctx, c)
}

// read gives the user of a claim from its shard.
func (s *Store) read(ctx context.Context, c claim) (user User, err error) {
	err = s.router.Read(ctx, s.layout.claimed(c), func(ctx context.Context, tx bun.Tx) error {
		user, err = one[User](ctx, tx, "user", "id = ? AND NOT void", c.UserID)
		return err
	})
	return user, err
}

// one gives the row that the condition is true of, or ErrNotFound.
func one[Row any](ctx context.Context, db bun.IDB, what, condition, value string) (Row, error) {
	var row, none Row
	err := db.NewSelect().Model(&row).Where(condition, value).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return none, ErrNotFound
	}
	if err != nil {
		return none, fmt.Errorf("select %s: %w", what, err)
	}
	return row, nil
}
