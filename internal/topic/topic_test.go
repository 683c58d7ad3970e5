package topic_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/internal/topic"
)

func TestTopicsOfPlatform(t *testing.T) {
	users, orders := &spec.Service{Name: "users"}, &spec.Service{Name: "orders"}
	users.Events.Publishes = []string{"user.created.v1"}
	orders.Events.Consumes = []string{"user.created.v1", "payment.received.v1"}
	orders.Events.Publishes = []string{"order.created.v1"}
	got := topic.Of(&spec.Model{Services: []*spec.Service{orders, users, {Name: "catalog"}}})
	want := []string{"order.created.v1", "orders.dead", "payment.received.v1", "user.created.v1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := topic.Of(&spec.Model{}); len(got) != 0 {
		t.Errorf("of a platform without services: %v", got)
	}
}

func broker(t *testing.T, options ...kfake.Opt) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(append(options, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

func partitions(t *testing.T, brokers []string) map[string]int {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 10 * time.Second, Transport: &kafka.Transport{}}
	answer, err := client.Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, found := range answer.Topics {
		out[found.Name] = len(found.Partitions)
	}
	return out
}

func TestTopicsAreMadeAndStay(t *testing.T) {
	brokers := broker(t, kfake.SeedTopics(7, "was.there.v1"))
	for range 2 {
		if err := topic.Create(t.Context(), brokers, nil, []string{"order.created.v1", "was.there.v1"}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int{"order.created.v1": topic.Partitions, "was.there.v1": 7}, partitions(t, brokers)); diff != "" {
			t.Error(diff)
		}
	}
}

// A broker in a cluster says that it is where only the cluster's pods reach it.
func TestBrokerIsReachedByDialWhateverItSays(t *testing.T) {
	brokers := broker(t)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, brokers[0])
	}
	if err := topic.Create(t.Context(), []string{"kafka.invalid:9092"}, dial, []string{"order.created.v1"}); err != nil {
		t.Fatal(err)
	}
	if got := partitions(t, brokers)["order.created.v1"]; got != topic.Partitions {
		t.Errorf("%d partitions", got)
	}
}

func TestBrokerThatIsNotThere(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := topic.Create(ctx, []string{"127.0.0.1:1"}, nil, []string{"order.created.v1"}); err == nil {
		t.Error("topics were made on no broker")
	}
}
