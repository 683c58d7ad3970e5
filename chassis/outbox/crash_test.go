package outbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/test/soak"
)

// The crash test has a service commit orders with their events and kills it, or the broker, again and again. In the end
// every committed order's event must have had its effect once, in order for each key.
//
// The service is this test binary, started again with childEnv set: only a process can be killed as a process is.
const childEnv = "TRELLIS_TEST_OUTBOX"

const crashKeys = 5

// child is what the child process is told.
type child struct {
	URL     string
	Brokers []string
	Die     string // "before" or "after" a publish kills the process at that very moment; "" leaves that to the parent
	Publish int    // which publish
	Drain   bool   // make no new orders, publish what is stored and exit
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Println("child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := database.Open(ctx, c.URL, database.Options{})
	if err != nil {
		return err
	}
	kafka, err := event.NewKafkaPublisher(event.KafkaOptions{
		Connection: event.Connection{Brokers: c.Brokers}, Source: "orders", Timeout: 2 * time.Second,
	})
	if err != nil {
		return err
	}
	box, err := outbox.New(db, c.deadly(kafka), outbox.Options{Poll: 20 * time.Millisecond, Batch: 10, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if c.Drain {
		return drain(ctx, box)
	}
	failed := make(chan error, crashKeys+1)
	go func() { failed <- box.Run(ctx) }()
	for k := range crashKeys {
		go func() { failed <- placeOrders(ctx, db, box, fmt.Sprint("order-", k)) }()
	}
	return <-failed
}

// deadly wraps the publisher so that the process dies by SIGKILL just before or just after the chosen publish.
func (c child) deadly(pub event.Publisher) event.Publisher {
	var count atomic.Int64
	die := func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return publisherFunc(func(ctx context.Context, events ...event.Event) error {
		mine := int(count.Add(1)) == c.Publish
		if mine && c.Die == "before" {
			die()
		}
		err := pub.Publish(ctx, events...)
		if mine && c.Die == "after" {
			die()
		}
		return err
	})
}

func drain(ctx context.Context, box *outbox.Outbox) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := box.Flush(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// placeOrders commits one order of the key after the other, each with its event, until the process is killed.
func placeOrders(ctx context.Context, db *database.DB, box *outbox.Outbox, key string) error {
	for {
		err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			var n int
			if err := tx.NewSelect().Table("orders").ColumnExpr("COUNT(*)").Where("key = ?", key).Scan(ctx, &n); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO orders (key, n) VALUES (?, ?)", key, n); err != nil {
				return err
			}
			e, err := event.New(crashType, key, payload{n})
			if err != nil {
				return err
			}
			return box.Append(ctx, tx, e)
		})
		if err != nil {
			return err
		}
		fmt.Println("committed")       // the parent counts the lines
		<-time.After(time.Millisecond) // leave the relay a turn
	}
}

const crashType = "order.crashed.v1"

// broker is a Kafka that can be killed.
type broker interface {
	Brokers() []string
	Kill()
	Restart(t testing.TB)
}

func TestNothingIsLostWhenProcessesAreKilled(t *testing.T) {
	dir := t.TempDir()
	crash(t, "sqlite://"+filepath.Join(dir, "orders.db"), "sqlite://"+filepath.Join(dir, "shipping.db"), eventtest.NewBroker(t), 5)
}

// crash runs the rounds. Each kills the service in one of three ways, every third the broker too, and the consumer is
// stopped and started again now and then.
func crash(t *testing.T, ordersURL, shippingURL string, kafka broker, everyday int) {
	t.Helper()
	rounds := soak.Rounds(t, everyday)
	orders, shipping := openURL(t, ordersURL), openURL(t, shippingURL)
	for db, statement := range map[*database.DB]string{
		orders:   "CREATE TABLE orders (key TEXT NOT NULL, n INT NOT NULL, PRIMARY KEY (key, n))",
		shipping: "CREATE TABLE shipped (at BIGINT NOT NULL, key TEXT NOT NULL, n INT NOT NULL)",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	stop := ship(t, shipping, kafka.Brokers())
	for round := range rounds {
		if round%4 == 3 {
			stop()
			stop = ship(t, shipping, kafka.Brokers())
		}
		c := child{URL: ordersURL, Brokers: kafka.Brokers(), Die: []string{"before", "after", ""}[round%3], Publish: 1 + rand.IntN(6)}
		began := time.Now()
		killService(t, c, kafka, round)
		t.Logf("round %d: killed %s, in %s", round+1, map[string]string{"": "at random, with the broker", "before": "before a publish", "after": "after a publish"}[c.Die], time.Since(began).Round(time.Millisecond))
	}
	c := start(t, child{URL: ordersURL, Brokers: kafka.Brokers(), Drain: true})
	if err := c.Wait(); err != nil {
		t.Fatalf("the last service does not get its events published: %v: %s", err, c.output())
	}
	compare(t, orders, shipping, rounds)
}

// killService runs the service for a round and returns when it is dead.
func killService(t *testing.T, c child, kafka broker, round int) {
	t.Helper()
	service := start(t, c)
	killBroker := round%3 == 2
	if killBroker {
		service.awaitCommits(20)
		kafka.Kill()
	}
	if c.Die == "" {
		service.awaitCommits(20 + rand.IntN(60))
		if err := service.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := service.Wait(); err == nil || service.ProcessState.ExitCode() != -1 {
		t.Fatalf("round %d: the service ended by itself: %v: %s", round, err, service.output())
	}
	if killBroker {
		kafka.Restart(t)
	}
}

// service is a running child.
type service struct {
	*exec.Cmd
	t       *testing.T
	commits atomic.Int64
	other   chan string // what it printed beside commits
	read    chan struct{}
}

func start(t *testing.T, c child) *service {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{Cmd: exec.Command(os.Args[0]), t: t, other: make(chan string, 100), read: make(chan struct{})}
	s.Env = append(os.Environ(), childEnv+"="+string(text))
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() })
	go func() {
		defer close(s.read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "committed" {
				s.commits.Add(1)
				continue
			}
			select {
			case s.other <- lines.Text():
			default:
			}
		}
	}()
	return s
}

// Wait waits until the process is dead and its output read.
func (s *service) Wait() error {
	<-s.read
	return s.Cmd.Wait()
}

func (s *service) awaitCommits(n int) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the service has committed %d orders", n), func() bool {
		select {
		case <-s.read:
			s.t.Fatalf("the service ended: %s", s.output())
		default:
		}
		return s.commits.Load() >= int64(n)
	})
}

func (s *service) output() string {
	close(s.other)
	var lines []string
	for line := range s.other {
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// ship runs the consumer: its effect is a row in shipped.
func ship(t *testing.T, db *database.DB, brokers []string) (stop func()) {
	t.Helper()
	inbox := outbox.NewInbox(db, "shipping")
	var at atomic.Int64
	at.Store(time.Now().UnixNano())
	consumer, err := event.NewConsumer(event.ConsumerOptions{
		Connection: event.Connection{Brokers: brokers}, Group: "shipping", Observe: event.Observe{Log: slog.New(slog.DiscardHandler)},
		Attempts: 1 << 30, Backoff: time.Millisecond, MaxBackoff: 100 * time.Millisecond,
		Handlers: map[string]event.Handler{crashType: func(ctx context.Context, e event.Event) error {
			p, err := event.Decode[payload](e)
			if err != nil {
				return err
			}
			return inbox.Once(ctx, e, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.ExecContext(ctx, "INSERT INTO shipped (at, key, n) VALUES (?, ?, ?)", at.Add(1), e.Subject(), p.N)
				return err
			})
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := consumer.Run(ctx); err != nil {
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

// compare wants, for each key, the effects 0, 1, 2, … up to the last committed order, in this order.
func compare(t *testing.T, orders, shipping *database.DB, rounds int) {
	t.Helper()
	type count struct {
		Key string
		N   int
	}
	var committed []count
	err := orders.NewSelect().Table("orders").Column("key").ColumnExpr("COUNT(*) AS n").GroupExpr("key").Scan(t.Context(), &committed)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, c := range committed {
		total += c.N
	}
	eventually(t, "every event had its effect", func() bool {
		n, err := shipping.NewSelect().Table("shipped").Count(t.Context())
		return err == nil && int(n) >= total
	})
	for _, c := range committed {
		var ns []int
		if err := shipping.NewSelect().Table("shipped").Column("n").Where("key = ?", c.Key).OrderExpr("at").Scan(t.Context(), &ns); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(ns), fmt.Sprint(upTo(c.N)); got != want {
			t.Errorf("%s: effects %s, want each of %d once, in order", c.Key, got, c.N)
		}
	}
	if total == 0 {
		t.Error("no order was ever committed")
	}
	t.Logf("%d crashes, %d orders committed, as many effects", rounds, total)
}
