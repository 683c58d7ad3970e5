package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/shard"
)

// earlyUser is a user from before there were shards, in the service's own database. It stays there after it was copied to its
// shard, for replicas of the version before, until a later migration drops the table.
type earlyUser struct {
	bun.BaseModel `bun:"table:users"`

	ID           string `bun:",pk"`
	Email        string
	Name         string
	CreatedAt    time.Time
	PasswordHash string
	Moved        bool
}

func (e earlyUser) user() User {
	return User{
		ID: e.ID, Email: e.Email, Name: e.Name, SortKey: shard.SortKey(e.Name), Region: DefaultRegion, CreatedAt: e.CreatedAt, PasswordHash: e.PasswordHash,
	}
}

// early gives a user from before, or ErrNotFound.
func (s *Store) early(ctx context.Context, id string) (User, error) {
	row, err := one[earlyUser](ctx, s.Own, "user", "id = ?", id)
	return row.user(), err
}

// MoveIn copies the users from before to their shards, and gives their number. It may be called again and by several replicas at a
// time: a user has one row in one shard whatever happens. Until then List does not know of them; all else does.
func (s *Store) MoveIn(ctx context.Context) (moved int, err error) {
	const batch = 500
	for {
		var rows []earlyUser
		if err := s.Own.NewSelect().Model(&rows).Where("NOT moved").OrderExpr("id").Limit(batch).Scan(ctx); err != nil {
			return moved, fmt.Errorf("select users to move: %w", err)
		}
		if len(rows) == 0 {
			return moved, nil
		}
		for _, row := range rows {
			if err := s.moveIn(ctx, row); err != nil {
				return moved, fmt.Errorf("move user %s to its shard: %w", row.ID, err)
			}
			moved++
		}
	}
}

func (s *Store) moveIn(ctx context.Context, row earlyUser) (err error) {
	user := row.user()
	if user.Partition, err = s.router.Partition(s.layout.key(user)); err != nil {
		return err
	}
	err = s.router.Write(ctx, s.layout.key(user), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&user).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		return err
	})
	if err == nil {
		err = s.step("copied")
	}
	if err != nil {
		return err
	}
	return s.Own.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*claim)(nil)).Set(`"partition" = ?`, user.Partition).Where("user_id = ?", user.ID).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model((*earlyUser)(nil)).Set("moved = ?", true).Where("id = ?", user.ID).Exec(ctx)
		return err
	})
}

// Run has everything where it belongs, until ctx ends: users from before in a shard, moves that were broken off at their end and,
// once it has run for a while (0: never), each partition on the shard that is its home now. In between, all replicas must have
// learned of a shard that was added: one that does not know it finds nothing there.
func (s *Store) Run(ctx context.Context, rebalance time.Duration) error {
	again := time.NewTicker(time.Minute)
	defer again.Stop()
	var due <-chan time.Time
	if rebalance > 0 {
		timer := time.NewTimer(rebalance)
		defer timer.Stop()
		due = timer.C
	}
	for homewards := false; ; {
		_, moveErr := s.MoveIn(ctx)
		err := errors.Join(moveErr, s.router.Resume(ctx))
		if homewards {
			_, moveErr := s.Rebalance(ctx)
			err = errors.Join(err, moveErr)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "users are not where they belong yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		case <-due:
			homewards = true
		}
	}
}

// Rebalance moves partitions to the shards that are their homes now, after one was added, and gives their number.
func (s *Store) Rebalance(ctx context.Context) (moved int, err error) { return s.router.Rebalance(ctx) }
