package eventstore_test

import (
	"context"
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
)

func Example() {
	ctx := context.Background()
	db, err := database.Open(ctx, "sqlite://:memory:", database.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := database.Migrate(ctx, db, eventstore.Migrations()); err != nil {
		panic(err)
	}
	types := eventstore.NewTypes()
	eventstore.Define[opened](types, "account.opened", 1)
	eventstore.Define[deposited](types, "money.deposited", 1)
	eventstore.Define[withdrawn](types, "money.withdrawn", 1)
	store, err := eventstore.New(db, types, eventstore.Options{})
	if err != nil {
		panic(err)
	}
	accounts, err := eventstore.NewRepository(store, eventstore.Aggregate[account]{Name: "account", Apply: apply})
	if err != nil {
		panic(err)
	}
	if _, err := accounts.Create(ctx, "42", func(*account) ([]any, error) { return []any{opened{1000}}, nil }); err != nil {
		panic(err)
	}
	if _, err := accounts.Update(ctx, "42", func(*account) ([]any, error) { return []any{deposited{500}}, nil }); err != nil {
		panic(err)
	}
	commit, err := accounts.Update(ctx, "42", func(a *account) ([]any, error) { return a.withdraw(200) })
	if err != nil {
		panic(err)
	}
	now, _, err := accounts.Get(ctx, "42")
	if err != nil {
		panic(err)
	}
	before, _, err := accounts.GetVersion(ctx, "42", commit.Version-1)
	if err != nil {
		panic(err)
	}
	fmt.Println(now.Balance, before.Balance)
	// Output: 1300 1500
}
