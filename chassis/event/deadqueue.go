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

// DeadLetter is an event that a group could not handle.
type DeadLetter struct {
	Event     Event     // zero when the record was no CloudEvent
	Key       string    // the record's key
	Value     []byte    // the record's payload
	Attempts  int       // how often the handler was tried
	Cause     string    // its last error
	Origin    string    // topic/partition/offset
	Time      time.Time // when it was given up
	Truncated bool      // the payload was too large to keep: it is at the origin

	partition int
	offset    int64
	headers   []kafka.Header
}

// ID names the letter among those of its group, for good.
func (l DeadLetter) ID() string { return fmt.Sprintf("%d-%d", l.partition, l.offset) }

// DeadLetters are a group's dead letters, oldest first. One operator at a time should redrive or discard them: two would
// redrive some twice.
type DeadLetters struct {
	group string
	out   *producer
	conn  Connection
}

// OpenDeadLetters gives access to the dead letters of a group; Close it.
func OpenDeadLetters(c Connection, group string) (*DeadLetters, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("dead letters of %s: %w", group, err)
	}
	return &DeadLetters{group: group, out: newProducer(c, Topics{}.withDefaults(), 10*time.Second), conn: c}, nil
}

// Close closes the connections.
func (d *DeadLetters) Close() error {
	d.out.close()
	return nil
}

// List gives the oldest letters, at most limit; 0 gives all.
func (d *DeadLetters) List(ctx context.Context, limit int) ([]DeadLetter, error) {
	letters, err := d.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("list dead letters of %s: %w", d.group, err)
	}
	if limit > 0 && limit < len(letters) {
		letters = letters[:limit]
	}
	return letters, nil
}

// Redrive hands the oldest letters, at most limit (0: all), to the group's consumer again and gives their number. Other
// groups do not see them. One that fails again becomes a dead letter again. What was truncated is taken from its origin; it ends at a letter
// whose origin has deleted it.
func (d *DeadLetters) Redrive(ctx context.Context, limit int) (int, error) {
	n, err := d.consume(ctx, limit, func(letter DeadLetter) error {
		key, value, headers := letter.Key, letter.Value, letter.headers
		if letter.Truncated {
			whole, err := d.original(ctx, letter)
			if err != nil {
				return err
			}
			key, value, headers = string(whole.Key), whole.Value, whole.Headers
		}
		o := &outgoing{key: key, value: value, headers: slices.DeleteFunc(slices.Clone(headers), isDeadHeader)}
		d.out.send(ctx, redriveTopic(d.group), []*outgoing{o})
		return o.err
	})
	if err != nil {
		return n, fmt.Errorf("redrive dead letters of %s: %w", d.group, err)
	}
	return n, nil
}

// Discard gives up the oldest letters, at most limit (0: all), and gives their number.
func (d *DeadLetters) Discard(ctx context.Context, limit int) (int, error) {
	n, err := d.consume(ctx, limit, func(DeadLetter) error { return nil })
	if err != nil {
		return n, fmt.Errorf("discard dead letters of %s: %w", d.group, err)
	}
	return n, nil
}

func isDeadHeader(h kafka.Header) bool { return strings.HasPrefix(h.Key, deadPrefix) }

// consume settles letter after letter, each for good before the next.
func (d *DeadLetters) consume(ctx context.Context, limit int, settle func(DeadLetter) error) (n int, err error) {
	letters, err := d.read(ctx)
	if err != nil {
		return 0, err
	}
	for _, letter := range letters {
		if limit > 0 && n == limit {
			break
		}
		if err := settle(letter); err != nil {
			return n, err
		}
		if err := d.advance(ctx, letter); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// advance moves the position in the letter's partition behind it. The position is that of a consumer group nobody is in.
func (d *DeadLetters) advance(ctx context.Context, letter DeadLetter) error {
	return again(ctx, func() error {
		answer, err := d.out.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
			GroupID: deadTopic(d.group), GenerationID: -1,
			Topics: map[string][]kafka.OffsetCommit{deadTopic(d.group): {{Partition: letter.partition, Offset: letter.offset + 1}}},
		})
		if err != nil {
			return err
		}
		for _, p := range answer.Topics[deadTopic(d.group)] {
			if p.Error != nil {
				return p.Error
			}
		}
		return nil
	})
}

// read gives the letters that are not settled, by time. It tries again while partitions have no leader, as those of new
// topics.
func (d *DeadLetters) read(ctx context.Context) (letters []DeadLetter, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err = again(ctx, func() error {
		letters, err = d.readOnce(ctx)
		return err
	})
	return letters, err
}

func (d *DeadLetters) readOnce(ctx context.Context) ([]DeadLetter, error) {
	topic := deadTopic(d.group)
	ids, err := partitions(ctx, d.out.client, topic)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	from, err := d.positions(ctx, topic, ids)
	if err != nil {
		return nil, err
	}
	request := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	for _, id := range ids {
		request.Topics[topic] = append(request.Topics[topic], kafka.FirstOffsetOf(id), kafka.LastOffsetOf(id))
	}
	ends, err := d.out.client.ListOffsets(ctx, request)
	if err != nil {
		return nil, err
	}
	var letters []DeadLetter
	for _, p := range ends.Topics[topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		part, err := d.readPartition(ctx, p.Partition, max(from[p.Partition], p.FirstOffset), p.LastOffset)
		if err != nil {
			return nil, err
		}
		letters = append(letters, part...)
	}
	oldestFirst(letters)
	return letters, nil
}

// oldestFirst sorts the letters by time, but never one before another that stands before it in its partition: the position that advance
// moves has all before it settled. The clocks of two that write to a partition may differ, so there a letter counts as no older than
// those before it. It is given the letters of each partition in their order.
func oldestFirst(letters []DeadLetter) {
	latest := map[int]time.Time{}
	since := map[string]time.Time{}
	for _, letter := range letters {
		if letter.Time.After(latest[letter.partition]) {
			latest[letter.partition] = letter.Time
		}
		since[letter.ID()] = latest[letter.partition]
	}
	slices.SortStableFunc(letters, func(a, b DeadLetter) int { return since[a.ID()].Compare(since[b.ID()]) })
}

func (d *DeadLetters) positions(ctx context.Context, topic string, ids []int) (map[int]int64, error) {
	at := map[int]int64{}
	err := again(ctx, func() error {
		answer, err := d.out.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: topic, Topics: map[string][]int{topic: ids}})
		if err != nil {
			return err
		}
		for _, p := range answer.Topics[topic] {
			if p.Error != nil && !errors.Is(p.Error, kafka.GroupIdNotFound) {
				return p.Error
			}
			at[p.Partition] = p.CommittedOffset // -1 when there is none
		}
		if errors.Is(answer.Error, kafka.GroupIdNotFound) { // nothing was ever settled
			return nil
		}
		return answer.Error
	})
	return at, err
}

// original is the record that a letter was.
func (d *DeadLetters) original(ctx context.Context, letter DeadLetter) (kafka.Message, error) {
	gone := func(cause error) error {
		return fmt.Errorf("letter %s has no payload, which was too large for it, and its origin %s does not give it: %w; discard the letter, "+
			"or have the event published again", letter.ID(), letter.Origin, cause)
	}
	words := strings.Split(letter.Origin, "/")
	if len(words) != 3 {
		return kafka.Message{}, gone(errors.New("it is not of the form topic/partition/offset"))
	}
	partition, err := strconv.Atoi(words[1])
	if err != nil {
		return kafka.Message{}, gone(err)
	}
	offset, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil {
		return kafka.Message{}, gone(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	reader, done := d.reader(words[0], partition)
	defer done()
	if err := reader.SetOffset(offset); err != nil {
		return kafka.Message{}, gone(err)
	}
	m, err := reader.FetchMessage(ctx)
	if err != nil {
		return kafka.Message{}, gone(err)
	}
	if m.Offset != offset {
		return kafka.Message{}, gone(fmt.Errorf("the oldest record that is left has the offset %d", m.Offset))
	}
	return m, nil
}

func (d *DeadLetters) reader(topic string, partition int) (reader *kafka.Reader, done func()) {
	dialer := newDialer(d.conn)
	reader = kafka.NewReader(kafka.ReaderConfig{
		Brokers: d.conn.Brokers, Topic: topic, Partition: partition, Dialer: dialer.Dialer,
		MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 2 * time.Second, ReadLagInterval: -1,
	})
	return reader, func() { closeReader(reader, dialer) }
}

func (d *DeadLetters) readPartition(ctx context.Context, partition int, from, end int64) ([]DeadLetter, error) {
	if from >= end {
		return nil, nil
	}
	reader, done := d.reader(deadTopic(d.group), partition)
	defer done()
	if err := reader.SetOffset(from); err != nil {
		return nil, err
	}
	var letters []DeadLetter
	for from < end {
		m, err := reader.FetchMessage(ctx)
		if err != nil {
			return nil, err
		}
		from = m.Offset + 1
		if m.Offset < end {
			letters = append(letters, letterOf(m))
		}
	}
	return letters, nil
}

func letterOf(m kafka.Message) DeadLetter {
	letter := DeadLetter{
		Key: string(m.Key), Value: m.Value, Cause: header(m.Headers, deadCause), Origin: header(m.Headers, deadOrigin),
		Truncated: header(m.Headers, deadTruncated) != "", partition: m.Partition, offset: m.Offset, headers: m.Headers,
	}
	letter.Attempts, _ = strconv.Atoi(header(m.Headers, deadAttempts))
	letter.Time, _ = time.Parse(time.RFC3339Nano, header(m.Headers, deadTime))
	if e, err := decode(m.Headers, m.Value); err == nil {
		letter.Event = e
	}
	return letter
}
