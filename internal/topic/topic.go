// Package topic knows which Kafka topics a platform's services need, and makes them.
package topic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Partitions of each topic: enough to see that order holds per key only.
const Partitions = 3

// Of gives the topics of a platform, sorted: those of the declared events, and the dead letters of each consumer.
func Of(m *spec.Model) []string {
	var out []string
	for _, s := range m.Services {
		out = append(out, s.Events.Publishes...)
		out = append(out, s.Events.Consumes...)
		if len(s.Events.Consumes) > 0 {
			out = append(out, s.Name+".dead")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Dial opens a connection to a broker.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Create makes topics; those that are there already stay as they are. A nil dial takes brokers at their word about their addresses.
func Create(ctx context.Context, brokers []string, dial Dial, topics []string) error {
	transport := &kafka.Transport{Dial: dial}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 30 * time.Second, Transport: transport}
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		req.Topics = append(req.Topics, kafka.TopicConfig{Topic: t, NumPartitions: Partitions, ReplicationFactor: 1})
	}
	res, err := client.CreateTopics(ctx, req)
	if err != nil {
		return fmt.Errorf("create topics on %v: %w", brokers, err)
	}
	var errs []error
	for topic, err := range res.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create topic %s: %w", topic, err))
		}
	}
	return errors.Join(errs...)
}
