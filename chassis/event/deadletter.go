package event

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Headers that a dead letter has beside those of the record it was.
const (
	deadAttempts  = "dead-letter-attempts"  // how often it was tried; 0: it was no event of ours at all
	deadCause     = "dead-letter-cause"     // the last error
	deadOrigin    = "dead-letter-origin"    // topic/partition/offset
	deadTime      = "dead-letter-time"      // RFC 3339
	deadTruncated = "dead-letter-truncated" // the payload was too large to keep: it is at the origin
	deadPrefix    = "dead-letter-"
)

const longestCause = 1000

func deadTopic(group string) string { return group + ".dead" }

// redriveTopic is where Redrive puts a group's dead letters: in their own topics every group would see them again.
func redriveTopic(group string) string { return group + ".redrive" }

// deadLetter puts the record into the group's dead-letter topic. While Kafka does not take it, the partition waits: a
// record that is neither handled nor kept would be lost. It is false when open ended before.
func (c *Consumer) deadLetter(open, ctx context.Context, m kafka.Message, attempts int, cause error) bool {
	o := &outgoing{topic: deadTopic(c.opt.Group), key: string(m.Key), value: m.Value, headers: deadHeaders(m, attempts, cause)}
	for {
		o.err = nil
		try, cancel := context.WithTimeout(ctx, 10*time.Second)
		c.out.send(try, o.topic, []*outgoing{o})
		cancel()
		if o.err == nil {
			return true
		}
		c.grumble.warn(c.opt.Log, "a dead letter cannot be kept yet, its partition waits", o.err, "topic", m.Topic, "partition", m.Partition)
		if errors.Is(o.err, ErrRefused) { // with the headers it is larger than it was
			o.key, o.value, o.headers = shortened(o.key), nil, truncated(o.headers)
		}
		if !wait(open, 200*time.Millisecond) {
			return false
		}
	}
}

func deadHeaders(m kafka.Message, attempts int, cause error) []kafka.Header {
	headers := slices.DeleteFunc(slices.Clone(m.Headers), func(h kafka.Header) bool { return strings.HasPrefix(h.Key, deadPrefix) })
	for _, h := range [][2]string{
		{deadAttempts, strconv.Itoa(attempts)},
		{deadCause, shortened(strings.ToValidUTF8(cause.Error(), "?"))},
		{deadOrigin, fmt.Sprintf("%s/%d/%d", m.Topic, m.Partition, m.Offset)},
		{deadTime, time.Now().UTC().Format(time.RFC3339Nano)},
	} {
		headers = append(headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
	}
	return headers
}

// shortened leaves of a text what a dead letter has room for at any rate.
func shortened(text string) string {
	if len(text) <= longestCause {
		return text
	}
	return strings.ToValidUTF8(text[:longestCause], "")
}

// truncated keeps what tells where the record is, and what it was unless that itself is large.
func truncated(headers []kafka.Header) []kafka.Header {
	headers = slices.DeleteFunc(slices.Clone(headers), func(h kafka.Header) bool {
		return h.Key == deadTruncated || len(h.Key)+len(h.Value) > 2*longestCause
	})
	if len(headers) > 100 {
		headers = headers[len(headers)-4:]
	}
	return append(headers, kafka.Header{Key: deadTruncated, Value: []byte("true")})
}
