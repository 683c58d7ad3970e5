package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/shard"
)

// claim says whose an address is.
type claim struct {
	bun.BaseModel `bun:"table:emails"`

	Email     string `bun:",pk"`
	UserID    string
	Partition string // empty for a user of the table from before there were shards
	Request   string
	ClaimedAt time.Time
	Confirmed bool
}

// Registration is a user to be kept, and what goes with it.
type Registration struct {
	User   User
	Events []event.Event // kept with the user, in its shard
	// Request tells this wish to register from others, however often it is made: a repetition gets the user that it has made
	// before. Without one, every call is another wish.
	Request string
	// Completed is called, unless it is nil, in the transaction of the service's own database that confirms the address.
	Completed func(ctx context.Context, tx bun.Tx, user User) error
}

// errVoid is an id that was given up while its user was to be kept.
var errVoid = errors.New("the registration was given up")

// Create keeps a user and its events, unless another user has its address, and gives the user that is kept.
func (s *Store) Create(ctx context.Context, r Registration) (User, error) {
	user := r.User
	user.SortKey = shard.SortKey(user.Name)
	var err error
	if user.Partition, err = s.router.Partition(s.layout.key(user)); err != nil {
		return User{}, err
	}
	mine := claim{Email: user.Email, UserID: user.ID, Partition: user.Partition, Request: r.Request, ClaimedAt: s.now().UTC()}
	waited, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		held, err := s.claim(ctx, mine)
		if err != nil {
			return User{}, err
		}
		if held.UserID == mine.UserID {
			return s.keep(ctx, user, held, r)
		}
		kept, err := s.settle(ctx, held, mine, r)
		if !errors.Is(err, ErrPending) {
			if err != nil || kept.ID != "" {
				return kept, err
			}
			continue // the address is free
		}
		select {
		case <-waited.Done():
			return User{}, errors.Join(ErrPending, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// claim claims the address, and gives the claim that holds it.
func (s *Store) claim(ctx context.Context, mine claim) (held claim, err error) {
	if _, err := s.Own.NewInsert().Model(&mine).On("CONFLICT (email) DO NOTHING").Exec(ctx); err != nil {
		return claim{}, fmt.Errorf("claim the address: %w", err)
	}
	if held, err = one[claim](ctx, s.Own, "claim", "email = ?", mine.Email); err != nil {
		return claim{}, err
	}
	return held, s.step("claimed")
}

// keep keeps the user that has the claim.
func (s *Store) keep(ctx context.Context, user User, held claim, r Registration) (User, error) {
	err := s.router.Write(ctx, s.layout.key(user), func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewInsert().Model(&user).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		if err != nil {
			return fmt.Errorf("insert user: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errVoid)
		}
		return s.Outboxes[shard.Name(ctx)].Append(ctx, tx, r.Events...)
	})
	if errors.Is(err, errVoid) {
		return User{}, ErrPending // whoever gave it up has the address now, or had it before dying, too
	}
	if err == nil {
		err = s.step("kept")
	}
	if err != nil {
		return User{}, err
	}
	return user, s.confirm(ctx, held, user, r.Completed)
}

// settle finds out what became of somebody else's claim. It gives the user if the same request has made it before, no user and no
// error when the claim is mine now, and otherwise ErrTaken or ErrPending.
func (s *Store) settle(ctx context.Context, held, mine claim, r Registration) (User, error) {
	same := mine.Request != "" && held.Request == mine.Request
	if held.Confirmed && !same {
		return User{}, ErrTaken
	}
	user, err := s.held(ctx, held)
	switch {
	case err == nil && same:
		return user, s.confirm(ctx, held, user, r.Completed)
	case err == nil:
		return User{}, errors.Join(ErrTaken, s.confirm(ctx, held, user, nil))
	case !errors.Is(err, ErrNotFound):
		return User{}, err
	case !same && s.now().Sub(held.ClaimedAt) < s.grace:
		return User{}, ErrPending
	}
	return User{}, s.takeOver(ctx, held, mine)
}

// takeOver makes the id of an abandoned claim void and puts mine in its place. Nothing happens if its user is kept meanwhile, or
// if another was quicker.
func (s *Store) takeOver(ctx context.Context, held, mine claim) error {
	key := s.layout.claimed(held)
	void := User{ID: held.UserID, Partition: held.Partition, CreatedAt: s.now().UTC(), Void: true}
	var row User
	err := s.router.Write(ctx, key, func(ctx context.Context, tx bun.Tx) (err error) {
		if _, err := tx.NewInsert().Model(&void).On("CONFLICT (id) DO NOTHING").Exec(ctx); err != nil {
			return fmt.Errorf("give up registration %s: %w", held.UserID, err)
		}
		row, err = one[User](ctx, tx, "user", "id = ?", held.UserID)
		return err
	})
	if err != nil || !row.Void {
		return err
	}
	if err := s.step("voided"); err != nil {
		return err
	}
	_, err = s.Own.NewUpdate().Model(&mine).Column("user_id", "partition", "request", "claimed_at").WherePK().
		Where("user_id = ?", held.UserID).Exec(ctx)
	if err != nil {
		return fmt.Errorf("take the address over: %w", err)
	}
	return nil
}

// confirm notes that the user of a claim is there.
func (s *Store) confirm(ctx context.Context, held claim, user User, completed func(context.Context, bun.Tx, User) error) error {
	err := s.Own.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*claim)(nil)).Set("confirmed = ?", true).
			Where("email = ?", held.Email).Where("user_id = ?", held.UserID).Exec(ctx)
		if err != nil || completed == nil {
			return err
		}
		return completed(ctx, tx, user)
	})
	if err != nil {
		return fmt.Errorf("confirm the address: %w", err)
	}
	return nil
}
