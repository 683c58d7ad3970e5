package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"
)

var errMissing = errors.New("they do not exist, and creating topics is switched off")

// Consumer consumes the event types of its handlers for one group. Several processes of a group share the partitions.
type Consumer struct {
	opt        ConsumerOptions
	topics     []string
	out        *producer // for dead letters; its client also asks for layouts and offsets
	dialer     *dialer
	tracer     trace.Tracer
	metrics    consumerMetrics
	grumble    throttle
	working    atomic.Bool  // a generation is consumed, so there may be an event in hand
	stopped    atomic.Int64 // the events that wait for what is away
	watchEvery time.Duration
}

// NewConsumer checks the options; Run connects.
func NewConsumer(opt ConsumerOptions) (*Consumer, error) {
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("consumer: %w", err)
	}
	opt = opt.withDefaults()
	metrics, err := newConsumerMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("consumer: metrics: %w", err)
	}
	c := &Consumer{
		opt: opt, out: newProducer(opt.Connection, opt.Topics, 10*time.Second), dialer: newDialer(opt.Connection),
		tracer: opt.tracer(), metrics: metrics, watchEvery: 5 * time.Second,
	}
	for typ := range opt.Handlers {
		c.topics = append(c.topics, typ)
	}
	c.topics = append(c.topics, redriveTopic(opt.Group))
	slices.Sort(c.topics)
	return c, nil
}

// Run consumes until ctx ends. Then it finishes the events in hand, at most Drain long, commits them, leaves the group, so
// that the others get its partitions at once, and returns nil. While Kafka is away it keeps trying.
func (c *Consumer) Run(ctx context.Context) error {
	defer c.out.close()
	if !c.awaitTopics(ctx) {
		return nil
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: c.opt.Group, Brokers: c.opt.Brokers, Topics: c.topics, Dialer: c.dialer.Dialer,
		StartOffset:       kafka.FirstOffset, // a group that is new has missed nothing
		HeartbeatInterval: time.Second, SessionTimeout: 10 * time.Second,
		RebalanceTimeout: c.opt.Drain + 10*time.Second, JoinGroupBackoff: 500 * time.Millisecond,
	})
	if err != nil {
		return fmt.Errorf("consumer: %w", err)
	}
	for {
		generation, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return c.leave(group)
		case err != nil:
			c.grumble.warn(c.opt.Log, "the consumer cannot join its group", err, "group", c.opt.Group)
		default:
			c.grumble.clear()
			c.begin(ctx, generation)
		}
	}
}

// begin has the partitions of a generation consumed. kafka-go waits for the function, when the generation ends, before it
// joins the next one; so no partition is ever worked on twice by this process.
func (c *Consumer) begin(ctx context.Context, generation *kafka.Generation) {
	c.working.Store(true)
	generation.Start(func(ended context.Context) {
		defer c.working.Store(false)
		newAssignment(c, generation).run(ctx, ended)
	})
}

// leave ends the current generation and leaves the group. Requests under way - joining takes as long as the group's slowest
// member - are cut off once there is nothing to drain.
func (c *Consumer) leave(group *kafka.ConsumerGroup) error {
	left := make(chan error, 1)
	go func() { left <- group.Close() }()
	patience := time.Second
	if c.working.Load() {
		patience = c.opt.Drain + 5*time.Second
	}
	select {
	case err := <-left:
		return err
	case <-time.After(patience):
		c.dialer.cut()
		return <-left
	}
}

// awaitTopics waits until all topics exist, and creates those that do not; false when ctx ended first.
func (c *Consumer) awaitTopics(ctx context.Context) bool {
	needed := append([]string{deadTopic(c.opt.Group)}, c.topics...)
	for {
		err := c.ensure(ctx, needed)
		if err == nil {
			return true
		}
		c.grumble.warn(c.opt.Log, "the consumer waits for its topics", err, "group", c.opt.Group)
		if !wait(ctx, 200*time.Millisecond) {
			return false
		}
	}
}

func (c *Consumer) ensure(ctx context.Context, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var missing []string
	for _, topic := range topics {
		ids, err := partitions(ctx, c.out.client, topic)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			missing = append(missing, topic)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if c.opt.Topics.Keep {
		return fmt.Errorf("%w: %v", errMissing, missing)
	}
	return c.opt.Topics.create(ctx, c.out.client, missing...)
}
