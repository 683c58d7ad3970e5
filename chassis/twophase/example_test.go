package twophase_test

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/twophase"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := database.Open(ctx, "sqlite://:memory:", database.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := database.Migrate(ctx, db, twophase.Migrations()); err != nil {
		panic(err)
	}
	var checkout *twophase.Coordinator[int]
	ask := func(ctx context.Context, txn string) (twophase.Decision, error) { return checkout.Decision(ctx, txn) }
	say := func(what string) func(context.Context, bun.Tx, string, int) error {
		return func(_ context.Context, _ bun.Tx, txn string, items int) error {
			fmt.Println(txn, what, items)
			return nil
		}
	}
	// In a shop it is another service, with a database of its own, and the coordinator has a client of it.
	inventory, err := twophase.Tentative(db, "inventory", twophase.Work[int]{
		Prepare: say("reserve"), Confirm: say("take"), Cancel: say("give back"),
	}, ask, twophase.LocalOptions{})
	if err != nil {
		panic(err)
	}
	checkout, err = twophase.New(db, "checkout", map[string]twophase.Participant[int]{"inventory": inventory},
		func(_ context.Context, _ bun.Tx, id string, _ int, decision twophase.Decision) error {
			fmt.Println(id, decision) // in a service: set the order's status and append its event to the outbox
			return nil
		}, twophase.Options{})
	if err != nil {
		panic(err)
	}
	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// write the order, then:
		return checkout.Begin(ctx, tx, "o-1", 3)
	})
	if err != nil {
		panic(err)
	}
	done := make(chan error)
	go func() { done <- checkout.Run(ctx) }() // a service has service.Go do this, until it stops
	for {
		txn, err := checkout.Get(ctx, "o-1")
		if err != nil {
			panic(err)
		}
		if txn.State == twophase.Committed {
			break
		}
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		panic(err)
	}
	// Output:
	// checkout/o-1 reserve 3
	// o-1 commit
	// checkout/o-1 take 3
}
