package twophase_test

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/twophase"
)

func makePrepared(db *database.DB, name string, refuse func(string) error, ask twophase.Ask, opt twophase.LocalOptions) (*twophase.Local[cart], error) {
	return twophase.Prepared(db, name, func(ctx context.Context, tx bun.Tx, txn string, _ cart) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO effects VALUES (?, ?, 'done')", name, txn); err != nil {
			return err
		}
		return refuse(txn)
	}, ask, opt)
}
