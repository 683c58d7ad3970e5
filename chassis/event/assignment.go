package event

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// assignment is the work of one generation of the group: the partitions that this process holds until the next one.
type assignment struct {
	*Consumer
	generation *kafka.Generation
	dialer     *dialer // of the readers alone

	mu      sync.Mutex
	next    map[string]map[int]int64 // the offset that each partition is at
	pending map[string]map[int]int64 // those that are not committed yet
	wake    chan struct{}
}

func newAssignment(c *Consumer, generation *kafka.Generation) *assignment {
	return &assignment{
		Consumer: c, generation: generation, dialer: newDialer(c.opt.Connection),
		next: map[string]map[int]int64{}, pending: map[string]map[int]int64{}, wake: make(chan struct{}, 1),
	}
}

// run has one worker a partition until the generation has ended, and returns when each has finished its event in hand and
// the offsets are committed. The events in hand have the values of ctx, not its end: they may go on for Drain.
func (a *assignment) run(ctx, ended context.Context) {
	hand, letGo := context.WithCancel(context.WithoutCancel(ctx))
	defer letGo()
	open, stop := context.WithCancel(ended)
	defer stop()
	context.AfterFunc(open, func() { time.AfterFunc(a.opt.Drain, letGo) })

	var workers sync.WaitGroup
	for topic, partitions := range a.generation.Assignments {
		for _, p := range partitions {
			workers.Go(func() { a.consume(open, hand, topic, p) })
		}
	}
	workers.Go(func() { a.watch(open, stop) })

	done := make(chan struct{})
	go func() {
		defer close(done)
		workers.Wait()
	}()
	a.commitUntil(done, stop)
}

// commitUntil commits what is pending whenever there is something, at the end once more. While one commit is under way,
// further offsets gather for the next. Without its offsets the generation is worth nothing, so an error ends it: the group
// is joined again and the events since the last commit come again.
func (a *assignment) commitUntil(done <-chan struct{}, stop func()) {
	for {
		last := false
		select {
		case <-a.wake:
		case <-done:
			last = true
		}
		if err := a.generation.CommitOffsets(a.take()); err != nil {
			a.grumble.warn(a.opt.Log, "offsets were not committed, their events will come again", err, "group", a.opt.Group)
			stop()
		}
		if last {
			return
		}
	}
}

// commit notes that the partition is handled up to and without offset.
func (a *assignment) commit(topic string, partition int, offset int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	set(a.next, topic, partition, offset)
	set(a.pending, topic, partition, offset)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func set(offsets map[string]map[int]int64, topic string, partition int, offset int64) {
	if offsets[topic] == nil {
		offsets[topic] = map[int]int64{}
	}
	offsets[topic][partition] = offset
}

func (a *assignment) take() map[string]map[int]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.pending
	a.pending = map[string]map[int]int64{}
	return taken
}

// complaints passes on what a reader mends by itself, by connecting anew or waiting, and would else tell nobody: it may go on for ever.
// When open has ended, its connections are closed under it, which is no complaint.
func (a *assignment) complaints(open context.Context, topic string, partition int) kafka.Logger {
	return kafka.LoggerFunc(func(format string, args ...any) {
		if open.Err() != nil {
			return
		}
		a.grumble.warn(a.opt.Log, "a partition cannot be read now", fmt.Errorf(format, args...), "topic", topic, "partition", partition)
	})
}

// consume handles one partition's records, one after the other.
func (a *assignment) consume(open, hand context.Context, topic string, p kafka.PartitionAssignment) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: a.opt.Brokers, Topic: topic, Partition: p.ID, Dialer: a.dialer.Dialer,
		MinBytes: 1, MaxBytes: 1 << 20, // an answer as soon as there is a record; a larger record still comes, alone
		MaxWait: 10 * time.Second, ReadBackoffMin: 20 * time.Millisecond, ReadBackoffMax: time.Second,
		QueueCapacity: 64, ReadLagInterval: -1, ErrorLogger: a.complaints(open, topic, p.ID),
	})
	defer closeReader(reader, a.dialer)
	if err := reader.SetOffset(p.Offset); err != nil {
		a.opt.Log.Error("a partition cannot be read", "topic", topic, "partition", p.ID, "error", err)
		return
	}
	lag := a.metrics.lag.WithLabelValues(topic, strconv.Itoa(p.ID))
	defer a.metrics.lag.DeleteLabelValues(topic, strconv.Itoa(p.ID))
	a.mu.Lock()
	set(a.next, topic, p.ID, p.Offset)
	a.mu.Unlock()
	for {
		m, err := reader.FetchMessage(open)
		if open.Err() != nil {
			return
		}
		if err != nil {
			a.grumble.warn(a.opt.Log, "a partition cannot be read", err, "topic", topic, "partition", p.ID)
			if !wait(open, 100*time.Millisecond) {
				return
			}
			continue
		}
		lag.Set(float64(m.HighWaterMark - m.Offset))
		if !a.handle(open, hand, m) {
			return
		}
		a.commit(topic, p.ID, m.Offset+1)
		lag.Set(float64(m.HighWaterMark - m.Offset - 1))
	}
}
