package outbox_test

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

func Example() {
	ctx := context.Background()
	db, err := database.Open(ctx, "sqlite://:memory:", database.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := database.Migrate(ctx, db, outbox.Migrations()); err != nil {
		panic(err)
	}
	publisher := &eventtest.Recorder{} // in a service: its Kafka publisher
	box, err := outbox.New(db, publisher, outbox.Options{})
	if err != nil {
		panic(err)
	}
	created, err := event.New("order.created.v1", "o-1", map[string]string{"id": "o-1"})
	if err != nil {
		panic(err)
	}
	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// write the order, then:
		return box.Append(ctx, tx, created)
	})
	if err != nil {
		panic(err)
	}
	if err := box.Flush(ctx); err != nil { // a service has box.Run do this, for ever
		panic(err)
	}
	fmt.Println(publisher.Events()[0].Type())

	// In the consuming service: however often the event comes, its effect happens once.
	inbox := outbox.NewInbox(db, "shipping")
	for range 2 {
		err := inbox.Once(ctx, created, func(context.Context, bun.Tx) error {
			fmt.Println("ship", created.Subject())
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	// Output:
	// order.created.v1
	// ship o-1
}
