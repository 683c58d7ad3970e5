package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"

	"github.com/trellis-mesh/trellis/internal/local"
)

func itoa(n int) string { return strconv.Itoa(n) }

// hostPlatform is the test binary as a process of its own: it starts the platform, prints its table, and stops at SIGINT.
func hostPlatform() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT)
	defer cancel()
	p, err := local.Start(ctx, local.Options{
		Root: os.Getenv("LOCAL_TEST_HOST"), Model: model(), FreePorts: true, DataDir: os.Getenv("LOCAL_TEST_DATA"), Logs: os.Stderr,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	line, err := p.JSON()
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
	err = p.Wait(ctx)
	if stopErr := p.Stop(context.Background()); stopErr != nil || err != nil {
		fmt.Fprintln(os.Stderr, err, stopErr)
		os.Exit(1)
	}
}

// table is what the host prints.
type table struct {
	Services []local.Endpoint
	Kafka    []string
}

// hosted runs a platform in another process.
func hosted(t *testing.T) (*exec.Cmd, table) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LOCAL_TEST_HOST="+shop, "LOCAL_TEST_DATA="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs screen
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("no table: %s", &errs)
	}
	var got table
	if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return cmd, got
}

func TestInterruptStopsEverything(t *testing.T) {
	host, got := hosted(t)
	if err := host.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := host.Wait(); err != nil {
		t.Errorf("the host: %v", err)
	}
	for _, s := range got.Services {
		if alive(s.PID) {
			t.Errorf("%s still runs", s.Service)
		}
	}
}

func TestServicesDieWithTheirHost(t *testing.T) {
	host, got := hosted(t)
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	for _, s := range got.Services {
		eventually(t, s.Service+" is gone", func() bool { return !alive(s.PID) })
		eventually(t, s.API+" is free", func() bool { return portFree(strings.TrimPrefix(s.API, "http://")) })
	}
}

func TestHostedKafkaHasTheDeclaredTopicsOnly(t *testing.T) {
	p := start(t, options(t, nil))
	client := &kafka.Client{Addr: kafka.TCP(p.Brokers()...), Transport: transport(t)}
	meta, err := client.Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool)
	for _, topic := range meta.Topics {
		got[topic.Name] = true
	}
	if len(got) != 2 || !got["front.seen.v1"] || !got["back.dead"] {
		t.Errorf("topics: %v, want front.seen.v1 and back.dead", got)
	}
}

func TestHostedRedisForgetsInTime(t *testing.T) {
	p := start(t, options(t, nil))
	opts, err := redis.ParseURL(p.Redis())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(opts)
	defer func() { _ = client.Close() }()
	if err := client.Set(t.Context(), "k", "v", 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key has expired", func() bool { return client.Exists(t.Context(), "k").Val() == 0 })
}

func TestEventsOutliveTheProcess(t *testing.T) {
	for name, end := range map[string]syscall.Signal{"stopped": syscall.SIGINT, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			host, table := hosted(t)
			consume(t, produce(t, table.Kafka, "one"), "one")
			produce(t, table.Kafka, "two")
			if err := host.Process.Signal(end); err != nil {
				t.Fatal(err)
			}
			_ = host.Wait()

			o := options(t, nil)
			for _, pair := range host.Env {
				if dir, ok := strings.CutPrefix(pair, "LOCAL_TEST_DATA="); ok {
					o.DataDir = dir
				}
			}
			consume(t, start(t, o).Brokers(), "two")
		})
	}
}

// transport keeps no connection beyond the test.
func transport(t *testing.T) *kafka.Transport {
	t.Helper()
	out := new(kafka.Transport)
	t.Cleanup(out.CloseIdleConnections)
	return out
}

func produce(t *testing.T, brokers []string, value string) []string {
	t.Helper()
	w := &kafka.Writer{
		Addr: kafka.TCP(brokers...), Topic: "front.seen.v1", RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Transport: transport(t),
	}
	defer func() { _ = w.Close() }()
	if err := w.WriteMessages(t.Context(), kafka.Message{Key: []byte("k"), Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
	return brokers
}

// consume reads the group's next event, and commits it.
func consume(t *testing.T, brokers []string, want string) {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: brokers, GroupID: "back", Topic: "front.seen.v1", StartOffset: kafka.FirstOffset, MaxWait: 50 * time.Millisecond,
	})
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	m, err := r.ReadMessage(ctx)
	if err != nil || string(m.Value) != want {
		t.Fatalf("read %q, %v; want %q", m.Value, err, want)
	}
}
