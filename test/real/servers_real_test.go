//go:build real

package real_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"

	"github.com/trellis-mesh/trellis/test/real"
)

func TestPostgresGivesEachTestItsDatabase(t *testing.T) {
	for _, url := range []string{real.Postgres(t), real.Postgres(t)} {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE t (id int)"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestPostgresKeepsItsDataWhenKilled(t *testing.T) {
	s := real.NewPostgres(t)
	url := s.Database(t)
	query(t, url, "CREATE TABLE t AS SELECT 1 AS id")
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	query(t, url, "SELECT id FROM t")
}

func query(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestRedisGivesEachTestItsDatabase(t *testing.T) {
	for _, url := range []string{real.Redis(t), real.Redis(t)} {
		opt, err := redis.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(opt)
		if set, err := client.SetNX(t.Context(), "key", "value", 0).Result(); err != nil || !set {
			t.Errorf("the key is there already: %v, %v", set, err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestKafkaKeepsItsDataWhenKilled(t *testing.T) {
	b := real.NewKafka(t)
	client := kafka.Client{Addr: kafka.TCP(b.Brokers()...)}
	if _, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: "kept", NumPartitions: 1, ReplicationFactor: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	produce := func(value string) {
		t.Helper()
		_, err := client.Produce(t.Context(), &kafka.ProduceRequest{
			Topic: "kept", RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value))}),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	produce("before")
	b.Kill()
	b.Restart(t)
	client.Transport = &kafka.Transport{}
	offsets, err := client.ListOffsets(t.Context(), &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{"kept": {kafka.LastOffsetOf(0)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := offsets.Topics["kept"][0].LastOffset; got != 1 {
		t.Errorf("the broker has %d records, want 1", got)
	}
}
