package saga_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
)

type order struct {
	ID, Reservation string
}

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := database.Open(ctx, "sqlite://:memory:", database.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := database.Migrate(ctx, db, saga.Migrations()); err != nil {
		panic(err)
	}
	fulfilment, err := saga.New(db, saga.Definition[order]{
		Name: "fulfilment",
		Steps: []saga.Step[order]{{
			Name: "reserve",
			Do: func(ctx context.Context, o *order) error {
				fmt.Println("reserve, with the idempotency key", saga.Key(ctx))
				o.Reservation = "r-1"
				return nil
			},
			Undo: func(_ context.Context, o *order) error {
				fmt.Println("release", o.Reservation)
				return nil
			},
		}, {
			Name: "pay",
			Do: func(context.Context, *order) error {
				return saga.Refused(errors.New("the card is declined"))
			},
		}},
		Done: func(_ context.Context, _ bun.Tx, id string, _ order, outcome saga.State) error {
			fmt.Println(id, outcome) // in a service: set the order's status and append its event to the outbox
			cancel()
			return nil
		},
	}, saga.Options{})
	if err != nil {
		panic(err)
	}
	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// write the order, then:
		return fulfilment.Start(ctx, tx, "o-1", order{ID: "o-1"})
	})
	if err != nil {
		panic(err)
	}
	if err := fulfilment.Run(ctx); err != nil { // a service has service.Go do this, until it stops
		panic(err)
	}
	// Output:
	// reserve, with the idempotency key fulfilment/o-1/reserve/do
	// release r-1
	// o-1 compensated
}
