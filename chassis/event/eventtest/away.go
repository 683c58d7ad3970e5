package eventtest

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
)

// unreachable is what the driver says of a PostgreSQL that is not there.
func unreachable(l *lab) error {
	l.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	if err := port.Close(); err != nil {
		l.Fatal(err)
	}
	_, err = database.Open(l.Context(), "postgres://orders@"+port.Addr().String()+"/orders", database.Options{PingTimeout: 50 * time.Millisecond})
	if err == nil {
		l.Fatal("a database that is not there was opened")
	}
	return err
}

// databaseAway has the database away for many more tries than an event has attempts. What no database can help - the event that
// fails for a reason of its own - still ends among the dead letters, after as many attempts as ever.
func databaseAway(l *lab) {
	const events, attempts = 5, 3
	typ, group, gone := l.typ("thing.stored"), l.group("g"), unreachable(l)
	var away atomic.Bool
	var tries, bad atomic.Int64
	var got sink
	var log lines
	away.Store(true)
	l.consume(group, map[string]event.Handler{typ: func(ctx context.Context, e event.Event) error {
		tries.Add(1)
		switch {
		case away.Load():
			return gone
		case e.Subject() == "bad":
			if bad.Add(1) == attempts-1 {
				return gone // for a moment, between attempts
			}
			return errMade
		}
		return got.handle(ctx, e)
	}}, func(o *event.ConsumerOptions) {
		o.Topics.Partitions, o.Attempts, o.MaxBackoff, o.Away = 1, attempts, 4*time.Millisecond, database.Away
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	l.eventually("the topics are there", func() bool { return topicExists(l, typ) })
	for n := range events {
		l.publish(l.event(typ, "k", n))
	}
	l.publish(l.event(typ, "bad", 0), l.event(typ, "k", events))
	l.eventually("the first event was tried many times", func() bool { return tries.Load() > 10*attempts })
	// A Kafka that has just started may be told of as well: its first group waits for its coordinator.
	if n := log.count("events wait"); n != 1 {
		l.Errorf("%d warnings of one outage, want 1:\n%s", n, log.String())
	}
	away.Store(false)
	l.eventually("everything is handled", func() bool { return got.len() > events })
	if diff := cmp.Diff(map[string]string{"k": "0 1 2 3 4 5"}, got.byKey(l)); diff != "" {
		l.Errorf("by key (-want +got):\n%s", diff)
	}
	if d := l.deadLetters(group, 1); len(d) == 1 && (d[0].Key != "bad" || d[0].Attempts != attempts || bad.Load() != attempts+1) {
		l.Errorf("after %d calls the dead letter is %+v", bad.Load(), d[0])
	}
}

func stopWhileAway(l *lab) {
	stopWhileWaiting(l, unreachable(l), func(o *event.ConsumerOptions) { o.Attempts, o.Away = 1, database.Away })
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) count(what string) int { return strings.Count(l.String(), what) }
