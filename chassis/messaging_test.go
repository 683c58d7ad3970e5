package chassis

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

// An event that is committed while the service stops is published by the same process: the relay stops last.
func TestOutboxIsFlushedAndConsumed(t *testing.T) {
	brokers := "APP_KAFKA_BROKERS=" + strings.Join(eventtest.Kafka(t), ",")
	const typ = "order.created.v1"
	keys := make(chan string, 10)
	_, stopAudit := serving(t, Spec{Name: "audit", Consumes: []string{typ}}, func(_ context.Context, s *Service) error {
		s.Consume(typ, func(_ context.Context, e event.Event) error {
			keys <- e.Subject() + " from " + e.Source()
			return nil
		})
		return nil
	}, Options{Environ: environment(brokers)})

	spec := Spec{Name: "shop", Database: true, Publishes: []string{typ}}
	_, stopShop := serving(t, spec, func(ctx context.Context, s *Service) error {
		db, err := s.Database(ctx, nil)
		if err != nil {
			return err
		}
		box, err := s.Outbox(ctx, db)
		if err != nil {
			return err
		}
		if first, err := s.Publisher(ctx); err != nil || first != event.Publisher(s.publisher) {
			t.Errorf("another publisher, %v; want the one of the outbox", err)
		}
		s.Go("orders", func(ctx context.Context) error {
			if err := order(ctx, db, box, typ, "early"); err != nil {
				return err
			}
			<-ctx.Done()
			return order(context.WithoutCancel(ctx), db, box, typ, "late")
		})
		return nil
	}, Options{Environ: environment(brokers, "APP_DATABASE_URL=sqlite://:memory:")})

	expect(t, keys, "early from shop")
	if err := stopShop(); err != nil {
		t.Error(err)
	}
	expect(t, keys, "late from shop")
	if err := stopAudit(); err != nil {
		t.Error(err)
	}
}

func order(ctx context.Context, db *database.DB, box *outbox.Outbox, typ, key string) error {
	created, err := event.New(typ, key, map[string]string{"id": key})
	if err != nil {
		return err
	}
	return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return box.Append(ctx, tx, created) })
}

func expect(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case key := <-got:
		if key != want {
			t.Errorf("consumed %q, want %q", key, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%q was not consumed", want)
	}
}

func TestAnEventWaitsForTheDatabase(t *testing.T) {
	s, stop := serving(t, Spec{Name: "shop"}, func(context.Context, *Service) error { return nil }, Options{Environ: environment()})
	away := s.consumerOptions().Away
	if away == nil || !away(fmt.Errorf("begin transaction: %w", driver.ErrBadConn)) || away(errors.New("no such order")) {
		t.Error("the consumer does not tell a database that is away from an event that cannot be handled")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestInboxMakesEffectsHappenOnce(t *testing.T) {
	effects := []string{}
	_, stop := serving(t, Spec{Name: "shop", Database: true}, func(ctx context.Context, s *Service) error {
		db, err := s.Database(ctx, nil)
		if err != nil {
			return err
		}
		inbox, err := s.Inbox(ctx, db)
		if err != nil {
			return err
		}
		e, err := event.New("user.created.v1", "u-1", nil)
		if err != nil {
			return err
		}
		e.SetSource("users")
		for range 2 {
			err := inbox.Once(ctx, e, func(context.Context, bun.Tx) error {
				effects = append(effects, e.Subject())
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, Options{Environ: environment("APP_DATABASE_URL=sqlite://:memory:")})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(effects, []string{"u-1"}) {
		t.Errorf("effects %v, want one", effects)
	}
}
