package event

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// checkTopic refuses what Kafka takes for no topic's name.
func checkTopic(name string) error {
	if !topicName.MatchString(name) {
		return fmt.Errorf("%w: type %q: want at most 249 letters, digits and ._-, since it names a topic", ErrRefused, name)
	}
	return nil
}

// partitions gives the partitions of a topic as far as they have a leader; none when the topic is missing.
func partitions(ctx context.Context, client *kafka.Client, topic string) ([]int, error) {
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("read the layout of topic %s: %w", topic, err)
	}
	var ids []int
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// create creates the topics that are missing and waits until client knows them all.
func (t Topics) create(ctx context.Context, client *kafka.Client, topics ...string) error {
	request := &kafka.CreateTopicsRequest{}
	for _, topic := range topics {
		request.Topics = append(request.Topics, kafka.TopicConfig{
			Topic: topic, NumPartitions: t.Partitions, ReplicationFactor: t.Replication,
		})
	}
	answer, err := client.CreateTopics(ctx, request)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for topic, err := range answer.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return learn(ctx, client, topics)
}

// learn waits until client knows the topics, which exist. Its layout is kept for seconds; only a request that would create
// topics renews it at once.
func learn(ctx context.Context, client *kafka.Client, topics []string) error {
	for {
		if known(ctx, client, topics) {
			return nil
		}
		_, err := client.Transport.RoundTrip(ctx, client.Addr, &metadata.Request{TopicNames: topics, AllowAutoTopicCreation: true})
		if err != nil {
			return fmt.Errorf("read the layout of new topics: %w", err)
		}
		if known(ctx, client, topics) {
			return nil
		}
		if !wait(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

func known(ctx context.Context, client *kafka.Client, topics []string) bool {
	for _, topic := range topics {
		if ids, err := partitions(ctx, client, topic); err != nil || len(ids) == 0 {
			return false
		}
	}
	return true
}

// wait waits for d; false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
