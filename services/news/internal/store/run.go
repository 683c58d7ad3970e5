package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

type runRow struct {
	bun.BaseModel `bun:"table:runs"`

	Slot       string `bun:",pk"`
	Claim      string
	LeaseUntil time.Time
	FinishedAt *time.Time
}

// Claim makes a slot the caller's until a time, under a name for this claim that no other has; false when the slot is finished, or
// somebody else's by now. One whose lease is over is anybody's again: who had it is dead, or too slow to be waited for.
func (s *Store) Claim(ctx context.Context, slot, claim string, now, until time.Time) (bool, error) {
	row := runRow{Slot: slot, Claim: claim, LeaseUntil: until}
	// One statement: of several at once, one inserts or changes the row, and the condition holds for no other any more.
	n, err := affected(s.db.NewInsert().Model(&row).On("CONFLICT (slot) DO UPDATE").
		Set("claim = EXCLUDED.claim, lease_until = EXCLUDED.lease_until").
		Where("run_row.finished_at IS NULL").Where("run_row.lease_until <= ?", now).Exec(ctx))
	if err != nil {
		return false, fmt.Errorf("claim run %s: %w", slot, err)
	}
	return n == 1, nil
}

// Finish says that a claimed slot needs no other run. It does nothing when the claim was lost meanwhile.
func (s *Store) Finish(ctx context.Context, slot, claim string, at time.Time) error {
	_, err := s.db.NewUpdate().Model((*runRow)(nil)).Set("finished_at = ?", at).
		Where("slot = ?", slot).Where("claim = ?", claim).Where("finished_at IS NULL").Exec(ctx)
	if err != nil {
		return fmt.Errorf("finish run %s: %w", slot, err)
	}
	return nil
}

// Release gives a claimed slot back, so that it can be claimed at once. It does nothing when the claim was lost meanwhile.
func (s *Store) Release(ctx context.Context, slot, claim string) error {
	_, err := s.db.NewDelete().Model((*runRow)(nil)).Where("slot = ?", slot).Where("claim = ?", claim).Where("finished_at IS NULL").Exec(ctx)
	if err != nil {
		return fmt.Errorf("release run %s: %w", slot, err)
	}
	return nil
}

// Forget drops the slots that were last claimed before a time.
func (s *Store) Forget(ctx context.Context, before time.Time) error {
	if _, err := s.db.NewDelete().Model((*runRow)(nil)).Where("lease_until < ?", before).Exec(ctx); err != nil {
		return fmt.Errorf("delete runs: %w", err)
	}
	return nil
}
