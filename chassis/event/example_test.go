package event_test

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/trellis-mesh/trellis/chassis/event"
)

type order struct {
	ID string `json:"id"`
}

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	kafka := event.Connection{Brokers: cluster.ListenAddrs()}

	shipped := make(chan struct{})
	consumer, err := event.NewConsumer(event.ConsumerOptions{
		Connection: kafka, Group: "shipping",
		Handlers: map[string]event.Handler{"order.created.v1": func(_ context.Context, e event.Event) error {
			o, err := event.Decode[order](e)
			if err != nil {
				return err
			}
			fmt.Println("ship", o.ID, "from", e.Source())
			close(shipped)
			return nil
		}},
	})
	if err != nil {
		panic(err)
	}
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx) }()

	publisher, err := event.NewKafkaPublisher(event.KafkaOptions{Connection: kafka, Source: "orders"})
	if err != nil {
		panic(err)
	}
	defer func() { _ = publisher.Close() }()
	created, err := event.New("order.created.v1", "o-1", order{ID: "o-1"})
	if err != nil {
		panic(err)
	}
	if err := publisher.Publish(ctx, created); err != nil {
		panic(err)
	}
	<-shipped
	cancel()
	fmt.Println(<-done)
	// Output:
	// ship o-1 from orders
	// <nil>
}
