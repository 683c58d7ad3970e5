//go:build real

package e2e

import (
	"context"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/test/real"
	"github.com/trellis-mesh/trellis/test/soak"
)

// TestEveryCommittedOrderIsToldAfterKills kills orders while its events wait for a broker that is dead too, again and
// again. In the end each order in the database was told of, and took effect once.
func TestEveryCommittedOrderIsToldAfterKills(t *testing.T) {
	broker := real.NewKafka(t)
	urls := databases(t)
	p := start(t, local.Options{Kafka: broker.Brokers(), Database: func(service string) string { return urls[service] }})
	ada, tea := customer(t, p, "Ada"), product(t, p, "tea", "12.50")
	told := newAudience(t, broker)

	moment := soak.Rand(t)
	acknowledged := map[string]bool{}
	for round := range soak.Rounds(t, 4) {
		broker.Kill()
		for range 3 { // committed, and nobody to publish to
			status, placed := place(t, p, ada, tea)
			if status != http.StatusCreated {
				t.Fatalf("round %d: status %d, %+v", round, status, placed)
			}
			acknowledged[placed.ID] = true
		}
		kill(t, p)
		broker.Restart(t)
		restart(t, p)
		// The second kill comes at any moment: before, while or after the relay publishes what waited and what is placed now.
		maps.Copy(acknowledged, placeUntilKilled(t, p, ada, tea, time.Duration(moment.Int64N(int64(150*time.Millisecond)))))
		restart(t, p)
	}

	kept := keptOrders(t, urls["orders"])
	for id := range acknowledged {
		if !slices.Contains(kept, id) {
			t.Errorf("order %s was acknowledged and is not kept", id)
		}
	}
	eventually(t, 2*time.Minute, "every kept order was told", func() bool { return told.all(t, kept) })
	told.check(t, kept)
	t.Logf("%d orders kept, %d acknowledged, %d deliveries, %d effects", len(kept), len(acknowledged), told.deliveries(), len(kept))
}

// databases makes one for each service that declares it, and gives their URLs.
func databases(t *testing.T) map[string]string {
	t.Helper()
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]string{}
	for _, service := range model.Services {
		for _, name := range service.Databases() {
			urls[name] = real.Postgres(t)
		}
	}
	return urls
}

func kill(t *testing.T, p *shop) {
	t.Helper()
	if err := p.Kill("orders", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func restart(t *testing.T, p *shop) {
	t.Helper()
	if err := p.Restart(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
}

// placeUntilKilled places orders one after the other until orders dies, after the given time, and gives those that were
// acknowledged.
func placeUntilKilled(t *testing.T, p *shop, customer, product string, after time.Duration) map[string]bool {
	t.Helper()
	acknowledged := map[string]bool{}
	timer := time.NewTimer(after)
	defer timer.Stop()
	var placing sync.WaitGroup
	dead := make(chan struct{})
	placing.Go(func() {
		for {
			select {
			case <-dead:
				return
			default:
			}
			if id, ok := tryPlace(p, customer, product); ok {
				acknowledged[id] = true
			}
		}
	})
	<-timer.C
	kill(t, p)
	close(dead)
	placing.Wait()
	return acknowledged
}

// keptOrders are the ids in the database of orders. Only a test may look into it.
func keptOrders(t *testing.T, url string) (ids []string) {
	t.Helper()
	db, err := database.Open(t.Context(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.NewSelect().Table("orders").Column("id").Scan(t.Context(), &ids); err != nil {
		t.Fatal(err)
	}
	return ids
}

// audience consumes order.created and counts, in a database, how often each order took effect.
type audience struct {
	db    *database.DB
	mu    sync.Mutex
	heard int
}

var audienceTables fs.FS = fstest.MapFS{
	"20260101000000_effects.up.sql":   {Data: []byte(`CREATE TABLE "effects" (order_id text NOT NULL);`)},
	"20260101000000_effects.down.sql": {Data: []byte(`DROP TABLE "effects";`)},
}

func newAudience(t *testing.T, broker *real.Broker) *audience {
	t.Helper()
	a := &audience{db: databasetest.New(t, audienceTables)}
	if err := database.Migrate(t.Context(), a.db, outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	inbox := outbox.NewInbox(a.db, "audience")
	consumer, err := event.NewConsumer(event.ConsumerOptions{
		Connection: event.Connection{Brokers: broker.Brokers()},
		Group:      "audience",
		Handlers: map[string]event.Handler{"order.created.v1": func(ctx context.Context, e event.Event) error {
			a.mu.Lock()
			a.heard++
			a.mu.Unlock()
			return inbox.Once(ctx, e, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewRaw(`INSERT INTO "effects" (order_id) VALUES (?)`, e.Subject()).Exec(ctx)
				return err
			})
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := consumer.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return a
}

func (a *audience) effects(t *testing.T) (ids []string) {
	t.Helper()
	if err := a.db.NewSelect().Table("effects").Column("order_id").Scan(t.Context(), &ids); err != nil {
		t.Fatal(err)
	}
	return ids
}

func (a *audience) all(t *testing.T, want []string) bool {
	t.Helper()
	return len(a.effects(t)) >= len(want)
}

// check fails unless each wanted order took effect once, and no other did.
func (a *audience) check(t *testing.T, want []string) {
	t.Helper()
	times := map[string]int{}
	for _, id := range a.effects(t) {
		times[id]++
	}
	for _, id := range want {
		if times[id] != 1 {
			t.Errorf("order %s took effect %d times", id, times[id])
		}
		delete(times, id)
	}
	for id := range times {
		t.Errorf("order %s took effect and is not kept", id)
	}
}

func (a *audience) deliveries() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard
}
