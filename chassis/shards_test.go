package chassis

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/health"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

func TestShardsAreDatabasesOfTheirOwn(t *testing.T) {
	migrations := fstest.MapFS{"1_greetings.up.sql": {Data: []byte("CREATE TABLE greetings (id text)")}}
	var own *database.DB
	var shards map[string]*database.DB
	dir := t.TempDir()
	s, stop := serving(t, Spec{Name: "shop", Database: true, Shards: []string{"s1", "far-east"}}, func(ctx context.Context, s *Service) (err error) {
		if own, err = s.Database(ctx, nil); err != nil {
			return err
		}
		shards, err = s.Shards(ctx, migrations)
		return err
	}, Options{Environ: environment(
		"APP_DATABASE_URL=sqlite://:memory:", "APP_DATABASE_SHARDS_S1_URL=sqlite://"+filepath.Join(dir, "1.db"),
		"APP_DATABASE_SHARDS_FAR_EAST_URL=sqlite://"+filepath.Join(dir, "2.db"))})
	checks := s.Health().Report(t.Context()).Checks
	for _, name := range []string{"database", "database-s1", "database-far-east"} {
		if checks[name].Status != health.Up {
			t.Errorf("checks %v, want one of %s", checks, name)
		}
	}
	for name, db := range shards {
		if _, err := db.ExecContext(t.Context(), "INSERT INTO greetings VALUES (?)", name); err != nil {
			t.Error(err)
		}
		if n, err := db.NewSelect().Table("greetings").Count(t.Context()); n != 1 || err != nil {
			t.Errorf("shard %s has %d rows, %v", name, n, err)
		}
	}
	if _, err := own.ExecContext(t.Context(), "SELECT * FROM greetings"); err == nil || len(shards) != 2 {
		t.Errorf("the own database has the shards' tables; %d shards", len(shards))
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := shards["s1"].PingContext(t.Context()); err == nil {
		t.Error("a shard was left open")
	}
}

func TestConnectionsAreBoundedAsTheConfigurationSays(t *testing.T) {
	for _, test := range []struct{ key, want string }{{"", "own 4, shards 10"}, {"APP_DATABASE_CONNECTIONS=15", "own 15, shards 7"}, {"APP_DATABASE_CONNECTIONS=2", "own 2, shards 4"}} {
		t.Run(test.key, func(t *testing.T) {
			var got string
			dir := t.TempDir()
			environ := environment("APP_DATABASE_URL=sqlite://"+filepath.Join(dir, "0.db"), "APP_DATABASE_SHARDS_S1_URL=sqlite://"+filepath.Join(dir, "1.db"),
				"APP_DATABASE_SHARDS_S2_URL=sqlite://"+filepath.Join(dir, "2.db"))
			if test.key != "" {
				environ = append(environ, test.key)
			}
			_, stop := serving(t, Spec{Name: "shop", Database: true, Shards: []string{"s1", "s2"}}, func(ctx context.Context, s *Service) error {
				own, err := s.Database(ctx, nil)
				if err != nil {
					return err
				}
				shards, err := s.Shards(ctx, nil)
				if err != nil {
					return err
				}
				got = fmt.Sprintf("own %d, shards %d", own.Stats().MaxOpenConnections, shards["s2"].Stats().MaxOpenConnections)
				return nil
			}, Options{Environ: environ})
			if err := stop(); err != nil {
				t.Error(err)
			}
			if got != test.want {
				t.Errorf("most connections: %s, want %s", got, test.want)
			}
		})
	}
}

func TestEachShardsEventsArePublished(t *testing.T) {
	brokers := "APP_KAFKA_BROKERS=" + strings.Join(eventtest.Kafka(t), ",")
	const typ = "order.created.v1"
	spec := Spec{Name: "shop", Database: true, Shards: []string{"s1", "s2"}, Publishes: []string{typ}}
	s, stop := serving(t, spec, func(ctx context.Context, s *Service) error {
		own, err := s.Database(ctx, nil)
		if err != nil {
			return err
		}
		shards, err := s.Shards(ctx, nil)
		if err != nil {
			return err
		}
		boxes, err := s.Outboxes(ctx, shards)
		if err != nil {
			return err
		}
		if boxes[""], err = s.Outbox(ctx, own); err != nil {
			return err
		}
		shards[""] = own
		s.Go("orders", func(ctx context.Context) error { return orders(ctx, shards, boxes, typ) })
		return nil
	}, Options{Environ: environment(
		brokers, "APP_DATABASE_URL=sqlite://:memory:", "APP_DATABASE_SHARDS_S1_URL=sqlite://:memory:", "APP_DATABASE_SHARDS_S2_URL=sqlite://:memory:")})
	const want = `
# HELP outbox_published_total Events published by this process's relay.
# TYPE outbox_published_total counter
outbox_published_total{shard=""} 1
outbox_published_total{shard="s1"} 1
outbox_published_total{shard="s2"} 1
`
	deadline := time.After(20 * time.Second)
	for {
		err := testutil.GatherAndCompare(s.Registry(), strings.NewReader(want), "outbox_published_total")
		if err == nil {
			break
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// orders makes an order in each of the databases.
func orders(ctx context.Context, databases map[string]*database.DB, boxes map[string]*outbox.Outbox, typ string) error {
	for name, db := range databases {
		if err := order(ctx, db, boxes[name], typ, "order-"+name); err != nil {
			return err
		}
	}
	return nil
}

func TestShardsAreDeclaredAndConfigured(t *testing.T) {
	open := func(ctx context.Context, s *Service) error {
		_, err := s.Shards(ctx, nil)
		return err
	}
	for want, test := range map[string]struct {
		shards  []string
		environ []string
	}{
		"database.shards of its service.yaml": {nil, nil},
		"APP_DATABASE_SHARDS_S2_URL":          {[]string{"s1", "s2"}, []string{"APP_DATABASE_SHARDS_S1_URL=sqlite://:memory:"}},
		"APP_DATABASE_SHARDS_S3_URL": {[]string{"s1", "s2"}, []string{
			"APP_DATABASE_SHARDS_S1_URL=sqlite://:memory:", "APP_DATABASE_SHARDS_S2_URL=sqlite://:memory:", "APP_DATABASE_SHARDS_S3_URL=sqlite://:memory:"}},
	} {
		err := Run(t.Context(), Spec{Name: "shop", Database: true, Shards: test.shards}, open, Options{Environ: environment(test.environ...)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}
