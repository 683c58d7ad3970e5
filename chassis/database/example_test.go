package database_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
)

func Example() {
	ctx := context.Background()
	db, err := database.Open(ctx, "sqlite://:memory:", database.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()

	migrations := fstest.MapFS{"20260101000000_init.up.sql": {Data: []byte(`CREATE TABLE orders (id TEXT PRIMARY KEY)`)}}
	if err := database.Migrate(ctx, db, migrations); err != nil {
		panic(err)
	}
	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		database.AfterCommit(ctx, func() { fmt.Println("committed") })
		_, err := tx.ExecContext(ctx, "INSERT INTO orders (id) VALUES (?)", "o-1")
		return err
	})
	if err != nil {
		panic(err)
	}
	n, err := db.NewSelect().Table("orders").Count(ctx)
	fmt.Println(n, err)
	// Output:
	// committed
	// 1 <nil>
}
