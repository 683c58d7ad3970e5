package event

import (
	"context"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// watch ends the assignment when a topic's number of partitions changes, so that the group shares them out anew, and
// measures how far behind each partition is, even one whose worker is stuck.
func (a *assignment) watch(open context.Context, stop func()) {
	before := a.partitionCounts(open)
	for wait(open, a.watchEvery) {
		for topic, n := range a.partitionCounts(open) {
			if old, known := before[topic]; known && old != n {
				a.opt.Log.Info("the number of a topic's partitions has changed", "topic", topic, "from", old, "to", n)
				stop()
				return
			}
			before[topic] = n
		}
		a.measureLag(open)
	}
}

func (a *assignment) partitionCounts(ctx context.Context) map[string]int {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	counts := map[string]int{}
	for _, topic := range a.topics {
		if ids, err := partitions(ctx, a.out.client, topic); err == nil {
			counts[topic] = len(ids)
		}
	}
	return counts
}

func (a *assignment) measureLag(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	for topic, partitions := range a.generation.Assignments {
		for _, p := range partitions {
			request.Topics[topic] = append(request.Topics[topic], kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
	}
	answer, err := a.out.client.ListOffsets(ctx, request)
	if err != nil {
		return // Kafka is away; the reader says so
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for topic, offsets := range answer.Topics {
		for _, o := range offsets {
			next, ours := a.next[topic][o.Partition]
			if ours && o.Error == nil {
				behind := o.LastOffset - max(next, o.FirstOffset)
				a.metrics.lag.WithLabelValues(topic, strconv.Itoa(o.Partition)).Set(float64(max(behind, 0)))
			}
		}
	}
}
