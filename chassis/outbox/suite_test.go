package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

// conformance checks what outbox and inbox promise; open gives a new database with the tables in it.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db *database.DB){
		"a commit publishes at once":                         commitPublishes,
		"a rollback publishes nothing":                       rollbackPublishesNothing,
		"a commit without its context is found by polling":   pollingFinds,
		"a late commit is not passed over":                   lateCommit,
		"several relays keep the order of each key":          severalRelays,
		"a batch has its limit":                              batchLimit,
		"a hanging relay does not hold up other buckets":     hangingRelay,
		"an event sent but not marked is sent again":         sentAgain,
		"an unreachable broker counts against no event":      unreachable,
		"an unreachable partition does not stop the others":  partlyUnreachable,
		"a refused event holds up its key until it is dead":  refusedEvent,
		"a dead event is redriven before those behind it":    redriven,
		"a discarded event lets those behind it go":          discarded,
		"an unreadable row dies without harm":                unreadable,
		"a stop publishes what is left":                      stopFlushes,
		"a stop with the broker away is bounded":             stopBounded,
		"published events are deleted after their retention": retention,
		"the trace and ids of the request go on":             tracesGoOn,
		"an invalid event is refused at once":                invalidAppend,
		"metrics tell what is pending and dead":              metricsTell,
		"an effect happens once":                             onceOnly,
		"a failed effect can be tried again":                 onceAgain,
		"an event handled twice at a time has one effect":    onceConcurrently,
		"each consumer has its own inbox":                    inboxesApart,
		"an inbox forgets in the end":                        inboxForgets,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, outbox.Migrations()) })
}

const typ = "order.created.v1"

type payload struct {
	N int `json:"n"`
}

func newEvent(t testing.TB, key string, n int) event.Event {
	t.Helper()
	e, err := event.New(typ, key, payload{n})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newOutbox(t testing.TB, db *database.DB, pub event.Publisher, change ...func(*outbox.Options)) *outbox.Outbox {
	t.Helper()
	opt := outbox.Options{Poll: 10 * time.Millisecond, Backoff: time.Millisecond, Attempts: 3, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&opt)
	}
	box, err := outbox.New(db, pub, opt)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// run has the relay work until the test ends or stop is called.
func run(t testing.TB, box *outbox.Outbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := box.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func commit(t testing.TB, db *database.DB, box *outbox.Outbox, events ...event.Event) {
	t.Helper()
	err := db.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error { return box.Append(ctx, tx, events...) })
	if err != nil {
		t.Fatal(err)
	}
}

func flush(t testing.TB, box *outbox.Outbox) {
	t.Helper()
	if err := box.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// sequences gives each key's counts in the order they were published, like "0 1 2".
func sequences(t testing.TB, events []event.Event) map[string]string {
	t.Helper()
	words := map[string][]string{}
	for _, e := range events {
		p, err := event.Decode[payload](e)
		if err != nil {
			t.Fatal(err)
		}
		words[e.Subject()] = append(words[e.Subject()], fmt.Sprint(p.N))
	}
	joined := map[string]string{}
	for key, w := range words {
		joined[key] = strings.Join(w, " ")
	}
	return joined
}

func want(t testing.TB, pub *eventtest.Recorder, key, sequence string) {
	t.Helper()
	if got := sequences(t, pub.Events())[key]; got != sequence {
		t.Errorf("published of %s: %q, want %q", key, got, sequence)
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 30s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// publisherFunc is a publisher made of a function.
type publisherFunc func(ctx context.Context, events ...event.Event) error

func (f publisherFunc) Publish(ctx context.Context, events ...event.Event) error {
	return f(ctx, events...)
}

var errMade = errors.New("made by the test")

// switchable is an error that can be switched on and off.
type switchable struct {
	mu  sync.Mutex
	err error
}

func (s *switchable) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *switchable) get() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func openURL(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := database.Migrate(context.Background(), db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}
