package eventtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/trellis-mesh/trellis/chassis/event"
)

var errMade = errors.New("made by the test")

// failing gives a handler that fails for key "bad" and otherwise remembers.
func failing(got *sink, tries *atomic.Int64, err func() error) event.Handler {
	return func(ctx context.Context, e event.Event) error {
		if e.Subject() == "bad" {
			tries.Add(1)
			return err()
		}
		return got.handle(ctx, e)
	}
}

func retries(l *lab) {
	typ := l.typ("thing.retried")
	var got sink
	var tries atomic.Int64
	l.consume(l.group("g"), map[string]event.Handler{typ: func(ctx context.Context, e event.Event) error {
		if tries.Add(1) < 3 {
			return errMade
		}
		return got.handle(ctx, e)
	}})
	l.publish(l.event(typ, "k", 0))
	l.eventually("the third attempt succeeds", func() bool { return got.len() == 1 })
	if tries.Load() != 3 {
		l.Errorf("%d attempts", tries.Load())
	}
	l.deadLetters(l.group("g"), 0)
}

func exhaustedIsDead(l *lab) {
	wantDead(l, func() error { return errMade }, 3, errMade.Error())
}

func permanentIsDead(l *lab) {
	wantDead(l, func() error { return fmt.Errorf("wrapped: %w", event.Permanent(errMade)) }, 1, "wrapped: "+errMade.Error())
}

func panicIsError(l *lab) {
	wantDead(l, func() error { panic("boom") }, 3, "panicked: boom")
}

// wantDead has one of two events fail and wants it dead-lettered, and the other one, behind it, handled.
func wantDead(l *lab, fail func() error, attempts int, cause string) {
	l.Helper()
	typ, group := l.typ("thing.failed"), l.group("g")
	var got sink
	var tries atomic.Int64
	one := func(o *event.ConsumerOptions) { o.Topics.Partitions = 1 }
	l.consume(group, map[string]event.Handler{typ: failing(&got, &tries, fail)}, one)
	letters := make([]event.DeadLetter, 0, 1)
	l.eventually("the topics are there", func() bool { return topicExists(l, typ) })
	bad := l.event(typ, "bad", 0)
	l.publish(bad, l.event(typ, "good", 0))
	l.eventually("the event behind it is handled", func() bool { return got.len() == 1 })
	if letters = append(letters, l.deadLetters(group, 1)...); len(letters) != 1 {
		return
	}
	d := letters[0]
	if d.Attempts != attempts || int(tries.Load()) != attempts || !strings.Contains(d.Cause, cause) || d.Origin != typ+"/0/0" ||
		d.Event.ID() != bad.ID() || d.Key != "bad" || time.Since(d.Time) > time.Minute {
		l.Errorf("after %d attempts the dead letter is %+v", tries.Load(), d)
	}
}

func topicExists(l *lab, topic string) bool {
	client := &kafka.Client{Addr: kafka.TCP(l.brokers...), Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	answer, err := client.Metadata(l.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
	return err == nil && len(answer.Topics) == 1 && len(answer.Topics[0].Partitions) > 0
}

func hangIsCutOff(l *lab) {
	typ, group := l.typ("thing.hung"), l.group("g")
	l.consume(group, map[string]event.Handler{typ: func(ctx context.Context, _ event.Event) error {
		<-ctx.Done()
		return ctx.Err()
	}}, func(o *event.ConsumerOptions) { o.Timeout = 10 * time.Millisecond })
	l.publish(l.event(typ, "k", 0))
	if d := l.deadLetters(group, 1); len(d) == 1 && (d[0].Attempts != 3 || !strings.Contains(d[0].Cause, "deadline")) {
		l.Errorf("the dead letter is %+v", d[0])
	}
}

func hostileRecords(l *lab) {
	typ, group := l.typ("thing.hostile"), l.group("g")
	var got sink
	l.consume(group, map[string]event.Handler{typ: func(ctx context.Context, e event.Event) error {
		if _, err := event.Decode[payload](e); err != nil {
			return err
		}
		return got.handle(ctx, e)
	}}, func(o *event.ConsumerOptions) { o.Topics.Partitions = 1 })
	l.eventually("the topics are there", func() bool { return topicExists(l, typ) })
	head := func(pairs ...string) (headers []kafka.Header) {
		for i := 0; i < len(pairs); i += 2 {
			headers = append(headers, kafka.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
		return headers
	}
	good := []string{"ce_specversion", "1.0", "ce_id", "1", "ce_source", "s", "ce_type", typ, "content-type", "application/json"}
	hostile := []struct {
		value   string
		headers []kafka.Header
	}{
		{"no headers at all", nil},
		{"", nil},
		{"{}", head("ce_specversion", "0.3", "ce_id", "1", "ce_source", "s", "ce_type", typ)},
		{"{}", head("ce_specversion", "1.0", "ce_id", "", "ce_source", "s", "ce_type", typ)},
		{"{}", head("ce_specversion", "1.0", "ce_id", "\xff", "ce_source", "s", "ce_type", typ)},
		{"{}", head("ce_specversion", "1.0", "ce_id", "1", "ce_source", "s", "ce_type", "never.heard.of.v1")},
		{"{}", head(append(good, "ce_time", "yesterday")...)},
		{"{}", head(append(good, "ce_", "x")...)},
		{"{", head(good...)},
		{`{"n":"seven"}`, head(good...)},
		{"\x00\xff\xfe", head("content-type", "application/cloudevents+json")},
		{`{"specversion":"1.0"}`, head("content-type", "application/cloudevents+json; charset=utf-8")},
		{"{", head(append(good, "traceparent", strings.Repeat("0", 70000), "dead-letter-attempts", "many")...)},
		{strings.Repeat("[", 1<<19), head(good...)},
	}
	for _, h := range hostile {
		l.raw(typ, []byte(h.value), h.headers...)
	}
	// In structured mode, from a publisher of another make, an event is welcome.
	l.raw(typ, []byte(`{"specversion":"1.0","id":"2","source":"s","type":"`+typ+`","subject":"structured","data":{"n":5}}`),
		head("content-type", "application/cloudevents+json")...)
	l.publish(l.event(typ, "binary", 6))
	l.eventually("the good ones are handled", func() bool { return got.len() == 2 })
	if diff := cmp.Diff(map[string]string{"structured": "5", "binary": "6"}, got.byKey(l)); diff != "" {
		l.Errorf("by key (-want +got):\n%s", diff)
	}
	for i, d := range l.deadLetters(group, len(hostile)) {
		if d.Cause == "" || d.Attempts > 1 {
			l.Errorf("hostile record %d: the dead letter is %+v", i, d)
		}
	}
}

// batchLimit is the brokers' default for a batch.
const batchLimit = 1048588

func truncatedDeadLetter(l *lab) {
	typ, group := l.typ("thing.huge"), l.group("g")
	l.consume(group, map[string]event.Handler{typ: (&sink{}).handle}, func(o *event.ConsumerOptions) { o.Topics.Partitions = 1 })
	l.eventually("the topics are there", func() bool { return topicExists(l, typ) })
	l.raw(typ, make([]byte, batchLimit-100)) // fits, but not with a dead letter's headers
	d := l.deadLetters(group, 1)
	if len(d) == 1 && (!d[0].Truncated || d[0].Origin != typ+"/0/0" || d[0].Cause == "") {
		l.Errorf("the dead letter is truncated: %v, origin %q, cause %q", d[0].Truncated, d[0].Origin, d[0].Cause)
	}
}

// hugeKey has a record whose key alone leaves no room for a dead letter's headers: it must not stop its partition.
func hugeKey(l *lab) {
	typ, group := l.typ("thing.keyed"), l.group("g")
	var got sink
	l.consume(group, map[string]event.Handler{typ: got.handle}, func(o *event.ConsumerOptions) { o.Topics.Partitions = 1 })
	l.eventually("the topics are there", func() bool { return topicExists(l, typ) })
	l.write(kafka.Message{Topic: typ, Key: bytes.Repeat([]byte("k"), batchLimit-150), Value: []byte("no event")})
	l.publish(l.event(typ, "good", 1))
	l.eventually("the event behind it is handled", func() bool { return got.len() == 1 })
	d := l.deadLetters(group, 1)
	if len(d) == 1 && (!d[0].Truncated || d[0].Origin != typ+"/0/0" || len(d[0].Key) > 1000 || !strings.HasPrefix(d[0].Key, "kkk")) {
		l.Errorf("the dead letter is truncated: %v, origin %q, key of %d bytes", d[0].Truncated, d[0].Origin, len(d[0].Key))
	}
}

// redriveTruncated redrives a letter without a payload: the handler gets the event as it was.
func redriveTruncated(l *lab) {
	typ, group := l.typ("thing.whole"), l.group("g")
	var mended atomic.Bool
	var length atomic.Int64
	long := errors.New(strings.Repeat("x", 5000)) // a letter keeps the first thousand
	l.consume(group, map[string]event.Handler{typ: func(_ context.Context, e event.Event) error {
		if !mended.Load() {
			return event.Permanent(long)
		}
		p, err := event.Decode[payload](e)
		length.Store(int64(len(p.Text)))
		return err
	}}, func(o *event.ConsumerOptions) { o.Topics.Partitions = 1 })
	l.eventually("the topics are there", func() bool { return topicExists(l, typ) })
	large, err := event.New(typ, "k", payload{Text: strings.Repeat("x", batchLimit-1300)}) // fits, with its own headers
	if err != nil {
		l.Fatal(err)
	}
	l.publish(large)
	if d := l.deadLetters(group, 1); len(d) == 1 && (!d[0].Truncated || len(d[0].Value) > 0) {
		l.Fatalf("the letter has %d bytes, truncated: %v", len(d[0].Value), d[0].Truncated)
	}
	queue, err := event.OpenDeadLetters(l.connection(), group)
	if err != nil {
		l.Fatal(err)
	}
	defer func() { _ = queue.Close() }()
	mended.Store(true)
	if n, err := queue.Redrive(l.Context(), 0); n != 1 || err != nil {
		l.Fatalf("redrove %d, %v", n, err)
	}
	l.eventually("the whole event is handled", func() bool { return length.Load() == batchLimit-1300 })
	l.deadLetters(group, 0)
}

func redrive(l *lab) {
	typ := l.typ("thing.mended")
	var mended atomic.Bool
	var got, other sink
	var tries atomic.Int64
	l.consume(l.group("broken"), map[string]event.Handler{typ: func(ctx context.Context, e event.Event) error {
		tries.Add(1)
		if !mended.Load() {
			return event.Permanent(errMade)
		}
		return got.handle(ctx, e)
	}})
	l.consume(l.group("other"), map[string]event.Handler{typ: other.handle})
	for n := range 3 {
		l.publish(l.event(typ, "k", n))
	}
	l.deadLetters(l.group("broken"), 3)
	queue, err := event.OpenDeadLetters(l.connection(), l.group("broken"))
	if err != nil {
		l.Fatal(err)
	}
	defer func() { _ = queue.Close() }()
	if n, err := queue.Discard(l.Context(), 1); n != 1 || err != nil {
		l.Fatalf("discarded %d, %v", n, err)
	}
	mended.Store(true)
	if n, err := queue.Redrive(l.Context(), 0); n != 2 || err != nil {
		l.Fatalf("redrove %d, %v", n, err)
	}
	l.eventually("they are handled", func() bool { return got.len() == 2 })
	if diff := cmp.Diff(map[string]string{"k": "1 2"}, got.byKey(l)); diff != "" {
		l.Errorf("by key (-want +got):\n%s", diff)
	}
	l.deadLetters(l.group("broken"), 0)
	l.eventually("the other group has the three", func() bool { return other.len() >= 3 })
	if other.len() != 3 {
		l.Errorf("the other group got %d events", other.len())
	}
}

// invertedLetters has two writers of dead letters whose clocks differ: what stands behind in a partition is older. Settling letter
// after letter must pass none over.
func invertedLetters(l *lab) {
	group := l.group("g")
	typ := l.typ("thing.dated")
	var got sink
	l.consume(group, map[string]event.Handler{typ: got.handle}, func(o *event.ConsumerOptions) { o.Topics.Partitions = 1 })
	l.eventually("the topics are there", func() bool { return topicExists(l, group+".dead") })
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for n, after := range []time.Duration{time.Minute, 0, 2 * time.Minute, time.Second} {
		value := fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"s","type":"%s","subject":"k","data":{"n":%d}}`, n, typ, n)
		l.raw(group+".dead", value, kafka.Header{Key: "content-type", Value: []byte("application/cloudevents+json")},
			kafka.Header{Key: "dead-letter-time", Value: []byte(noon.Add(after).Format(time.RFC3339Nano))})
	}
	queue, err := event.OpenDeadLetters(l.connection(), group)
	if err != nil {
		l.Fatal(err)
	}
	defer func() { _ = queue.Close() }()
	for range 4 {
		if n, err := queue.Redrive(l.Context(), 1); n != 1 || err != nil {
			l.Fatalf("redrove %d, %v", n, err)
		}
	}
	l.eventually("all are handled", func() bool { return got.len() == 4 })
	if diff := cmp.Diff(map[string]string{"k": "0 1 2 3"}, got.byKey(l)); diff != "" {
		l.Errorf("by key (-want +got):\n%s", diff)
	}
	l.deadLetters(group, 0)
}
