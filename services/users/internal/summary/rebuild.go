package summary

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/uptrace/bun"
)

// Run makes the summaries anew when their generation is larger than the one that they are of; it goes on until that is done, or until
// ctx ends.
func (s *Summaries) Run(ctx context.Context, log *slog.Logger) error {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		n, err := s.Rebuild(ctx)
		if err == nil {
			if n > 0 {
				log.InfoContext(ctx, "the summaries were made anew", "users", n, "generation", s.generation)
			}
			return nil
		}
		if ctx.Err() == nil {
			log.ErrorContext(ctx, "the summaries were not made anew", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Rebuild makes all summaries anew from the orders, unless they are of the generation already, and gives their number. Readers see each
// user's old summary or the new one, whole. Broken off, it is done again, and one process at a time does it.
func (s *Summaries) Rebuild(ctx context.Context) (users int, err error) {
	unlock, err := s.db.Lock(ctx, "summaries")
	if err != nil {
		return 0, err
	}
	defer unlock()
	var live int64
	if err := s.db.NewSelect().Table("summary_generation").Column("generation").Scan(ctx, &live); err != nil {
		return 0, fmt.Errorf("read the generation of the summaries: %w", err)
	}
	if live >= s.generation {
		return 0, nil
	}
	const batch = 500
	for after := ""; ; {
		var some []string
		err := s.db.NewRaw("SELECT user_id FROM settled_orders WHERE user_id > ?0 UNION SELECT user_id FROM summaries WHERE user_id > ?0 ORDER BY user_id LIMIT ?1",
			after, batch).Scan(ctx, &some)
		if err != nil {
			return users, fmt.Errorf("select users: %w", err)
		}
		for _, user := range some {
			if err := s.rebuild(ctx, user); err != nil {
				return users, fmt.Errorf("make the summary of user %s anew: %w", user, err)
			}
			users++
		}
		if len(some) < batch {
			break
		}
		after = some[len(some)-1]
	}
	_, err = s.db.NewUpdate().Table("summary_generation").Set("generation = ?", s.generation).Where("generation < ?", s.generation).Exec(ctx)
	if err != nil {
		return users, fmt.Errorf("write the generation of the summaries: %w", err)
	}
	return users, nil
}

// rebuild makes one user's summary anew.
func (s *Summaries) rebuild(ctx context.Context, userID string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := s.lock(ctx, tx, userID); err != nil {
			return err
		}
		var rows []orderRow
		if err := tx.NewSelect().Model(&rows).Where("user_id = ?", userID).Order("order_id").Scan(ctx); err != nil {
			return fmt.Errorf("select orders: %w", err)
		}
		anew := Summary{UserID: userID}
		for _, row := range rows {
			o, err := row.order()
			if err != nil {
				return err
			}
			if anew, err = anew.with(o); err != nil {
				return err
			}
		}
		if _, err := tx.NewDelete().Model((*totalRow)(nil)).Where("user_id = ?", userID).Exec(ctx); err != nil {
			return fmt.Errorf("delete totals: %w", err)
		}
		return s.write(ctx, tx, anew)
	})
}
