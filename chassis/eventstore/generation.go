package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// Rebuild starts a new generation of a projection from the first event; whoever runs the projector builds it, beside the
// live one, which is read and kept up to date until the new one has caught up and takes its place. A rebuild under way is
// given up for it. It gives the new generation.
func (p *Projector) Rebuild(ctx context.Context, name string) (generation int64, err error) {
	one, err := p.named(name)
	if err != nil {
		return 0, err
	}
	err = p.store.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var rows []projectionRow
		if err := p.forUpdate(tx.NewSelect().Model(&rows).Where("name = ?", name).OrderExpr("generation DESC"), "UPDATE").Scan(ctx); err != nil {
			return err
		}
		generation = 1
		for _, row := range rows {
			generation = max(generation, row.Generation+1)
			if row.State == building {
				if err := p.retire(ctx, tx, row); err != nil {
					return err
				}
			}
		}
		return p.create(ctx, tx, one, generation)
	})
	if err != nil {
		return 0, fmt.Errorf("rebuild projection %s: %w", name, err)
	}
	p.store.changed.send()
	return generation, nil
}

// begin makes the first generation of a projection.
func (p *Projector) begin(ctx context.Context, one *Projection) error {
	n, err := p.store.db.NewSelect().Model((*projectionRow)(nil)).Where("name = ?", one.Name).Count(ctx)
	if err != nil || n > 0 {
		return err
	}
	return p.store.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return p.create(ctx, tx, one, 1) })
}

// create makes a generation unless another replica just has.
func (p *Projector) create(ctx context.Context, tx bun.Tx, one *Projection, generation int64) error {
	row := projectionRow{Name: one.Name, Generation: generation, State: building, ChangedAt: p.store.now()}
	result, err := tx.NewInsert().Model(&row).Column("name", "generation", "state", "changed_at").On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return fmt.Errorf("begin generation %d: %w", generation, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 || one.Create == nil {
		return err
	}
	if err := one.Create(ctx, Tx{Tx: tx, Generation: generation}); err != nil {
		return fmt.Errorf("create generation %d: %w", generation, err)
	}
	return nil
}

// holdLive stops the live generation for the batch that brings the next one up to it. Else, while events keep coming, it
// could stay ahead for ever.
func (p *Projector) holdLive(ctx context.Context, tx bun.Tx, next projectionRow, limit int) error {
	if next.State != building {
		return nil
	}
	var rows []projectionRow
	query := tx.NewSelect().Model(&rows).Where("name = ?", next.Name).Where("state = ?", live).
		Where("position <= ?", next.Position+int64(limit))
	if err := p.forUpdate(query, "UPDATE").Scan(ctx); err != nil {
		return fmt.Errorf("lock the live generation: %w", err)
	}
	return nil
}

// replace puts a generation, whose lock tx holds, in the live one's place once it has got as far: readers never go back.
// The first one waits until it has caught up with the events.
func (p *Projector) replace(ctx context.Context, tx bun.Tx, next projectionRow, caughtUp bool) error {
	var rows []projectionRow // none or one
	query := tx.NewSelect().Model(&rows).Where("name = ?", next.Name).Where("state = ?", live)
	if err := p.forUpdate(query, "UPDATE").Scan(ctx); err != nil {
		return fmt.Errorf("lock the live generation: %w", err)
	}
	if len(rows) == 0 && !caughtUp {
		return nil
	}
	for _, old := range rows {
		if old.Position > next.Position {
			return nil
		}
		if err := p.retire(ctx, tx, old); err != nil {
			return err
		}
	}
	_, err := tx.NewUpdate().Model(&next).Set("state = ?", live).Set("changed_at = ?", p.store.now()).WherePK().Exec(ctx)
	if err != nil {
		return fmt.Errorf("put generation %d in its place: %w", next.Generation, err)
	}
	return nil
}

func (p *Projector) retire(ctx context.Context, tx bun.Tx, row projectionRow) error {
	_, err := tx.NewUpdate().Model(&row).Set("state = ?", retired).Set("changed_at = ?", p.store.now()).WherePK().Exec(ctx)
	if err != nil {
		return fmt.Errorf("retire generation %d: %w", row.Generation, err)
	}
	return nil
}

// drop removes one generation that was retired Grace ago.
func (p *Projector) drop(ctx context.Context, one *Projection) error {
	before := p.store.now().Add(-max(p.opt.Grace, 0))
	old := func(db bun.IDB, rows *[]projectionRow) *bun.SelectQuery {
		return db.NewSelect().Model(rows).Where("name = ?", one.Name).Where("state = ?", retired).Where("changed_at <= ?", before).Limit(1)
	}
	var rows []projectionRow
	if err := old(p.store.db, &rows).Scan(ctx); err != nil || len(rows) == 0 {
		return err
	}
	return p.store.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		rows = nil
		if err := p.forUpdate(old(tx, &rows), "UPDATE SKIP LOCKED").Scan(ctx); err != nil || len(rows) == 0 {
			return err
		}
		if err := one.Drop(ctx, Tx{Tx: tx, Generation: rows[0].Generation}); err != nil {
			return fmt.Errorf("drop generation %d: %w", rows[0].Generation, err)
		}
		_, err := tx.NewDelete().Model(&rows[0]).WherePK().Exec(ctx)
		return err
	})
}

// Skip has a generation go on without the event at which it stands still: its effects are missing from then on. Position is
// the FailedPosition of its Status, so that nothing else is skipped.
func (p *Projector) Skip(ctx context.Context, name string, generation, position int64) error {
	if _, err := p.named(name); err != nil {
		return err
	}
	result, err := p.store.db.NewUpdate().Model((*projectionRow)(nil)).Set("position = ?", position).Set("failures = 0").
		Set("failed_position = 0").Set("last_error = ''").Set("retry_at = NULL").
		Where("name = ?", name).Where("generation = ?", generation).Where("failures > 0").Where("failed_position = ?", position).Exec(ctx)
	if err != nil {
		return fmt.Errorf("skip position %d in projection %s: %w", position, name, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fmt.Errorf("skip position %d in generation %d of projection %s: it does not stand still there", position, generation, name), err)
	}
	p.log.Warn("an event was skipped", "projection", name, "generation", generation, "position", position)
	p.store.changed.send()
	return nil
}
