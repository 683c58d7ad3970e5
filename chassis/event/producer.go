package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// largestBatch bounds the bytes of one request; the brokers' default limit for a batch is 1 MiB.
const largestBatch = 900 << 10

// producer writes records to partitions, in the order it is given them.
//
// It stands on kafka-go's Client, not on its Writer: the Writer cuts batches by its own lights and goes on with the next
// one when one has failed, so that an event could overtake an earlier one of its key.
type producer struct {
	client    *kafka.Client
	topics    Topics
	transport *kafka.Transport
}

func newProducer(c Connection, topics Topics, timeout time.Duration) *producer {
	transport := c.transport()
	return &producer{
		client: &kafka.Client{Addr: kafka.TCP(c.Brokers...), Timeout: timeout, Transport: transport},
		topics: topics, transport: transport,
	}
}

func (p *producer) close() { p.transport.CloseIdleConnections() }

// send writes the records of one topic and leaves each one's error in it.
func (p *producer) send(ctx context.Context, topic string, batch []*outgoing) {
	ids, err := p.partitions(ctx, topic)
	if err != nil {
		fail(batch, err)
		return
	}
	byPartition := map[int][]*outgoing{}
	for _, o := range batch {
		id := partitionOf(o, ids)
		byPartition[id] = append(byPartition[id], o)
	}
	var group sync.WaitGroup
	for id, part := range byPartition {
		group.Go(func() { p.sendPartition(ctx, topic, id, part) })
	}
	group.Wait()
}

// partitionOf chooses as Kafka's own clients do, so that other producers of the topic agree with this one.
func partitionOf(o *outgoing, ids []int) int {
	return kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: keyBytes(o.key), Value: o.value}, ids...)
}

func keyBytes(key string) []byte {
	if key == "" {
		return nil
	}
	return []byte(key)
}

// partitions gives the topic's partitions; it creates a missing topic.
func (p *producer) partitions(ctx context.Context, topic string) (ids []int, err error) {
	err = again(ctx, func() error {
		if ids, err = partitions(ctx, p.client, topic); err != nil || len(ids) > 0 {
			return err
		}
		if p.topics.Keep {
			return fmt.Errorf("topic %s does not exist", topic)
		}
		if err := p.topics.create(ctx, p.client, topic); err != nil {
			return refusal(err)
		}
		ids, err = partitions(ctx, p.client, topic)
		return err
	})
	return ids, err
}

// sendPartition writes batch after batch and leaves the rest unsent when one fails. A refused batch is sent again record
// by record, to find those that are at fault; what stands behind one of them with its key is held back.
func (p *producer) sendPartition(ctx context.Context, topic string, partition int, all []*outgoing) {
	for single := 0; len(all) > 0; {
		n := fit(all)
		if single > 0 {
			n = 1
		}
		err := again(ctx, func() error { return p.produce(ctx, topic, partition, all[:n]) })
		switch {
		case err == nil:
			all, single = all[n:], single-n
		case !errors.Is(err, ErrRefused):
			fail(all, err)
			return
		case n > 1:
			single = n
		default:
			all[0].err = err
			all, single = hold(all), single-1
		}
	}
}

// produce writes one batch, which the partition takes whole or not at all.
func (p *producer) produce(ctx context.Context, topic string, partition int, batch []*outgoing) error {
	records := make([]kafka.Record, len(batch))
	now := time.Now()
	for i, o := range batch {
		records[i] = kafka.Record{Time: now, Key: kafka.NewBytes(keyBytes(o.key)), Value: kafka.NewBytes(o.value), Headers: o.headers}
	}
	answer, err := p.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = answer.Error
	}
	return refusal(err)
}

// refusal marks the errors by which a broker says that the records themselves are at fault.
func refusal(err error) error {
	for _, code := range []kafka.Error{
		kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidTimestamp,
		kafka.InvalidTopic, kafka.PolicyViolation, kafka.UnsupportedForMessageFormat,
	} {
		if errors.Is(err, code) {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return err
}

// again calls try until it succeeds, is refused, or ctx ends.
func again(ctx context.Context, try func() error) error {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := try()
		if err == nil || errors.Is(err, ErrRefused) {
			return err
		}
		if !wait(ctx, pause) {
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		}
	}
}

func fail(batch []*outgoing, err error) {
	for _, o := range batch {
		o.err = err
	}
}

// fit gives how many records make one batch: at least one.
func fit(all []*outgoing) int {
	size := 0
	for i, o := range all {
		size += o.size()
		if i > 0 && size > largestBatch {
			return i
		}
	}
	return len(all)
}

func (o *outgoing) size() int {
	n := len(o.key) + len(o.value) + 32
	for _, h := range o.headers {
		n += len(h.Key) + len(h.Value) + 4
	}
	return n
}
