package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/trellis-mesh/trellis/internal/port"
)

const kafkaVersion = "4.1.0" // as in .ci/setup and kafka/pom.xml

// Broker is an Apache Kafka of one node, which is broker and controller (KRaft).
type Broker struct {
	dir     string
	port    int
	process *process
}

var sharedKafka shared[*Broker]

// Kafka gives the broker that the process shares; a test uses topics and groups that no other one has.
func Kafka(t testing.TB) *Broker {
	t.Helper()
	return sharedKafka.get(t, startKafka)
}

// NewKafka starts a broker for this test alone, which may kill it.
func NewKafka(t testing.TB) *Broker {
	t.Helper()
	b, err := startKafka()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Kill()
		_ = os.RemoveAll(b.dir)
	})
	return b
}

// Brokers gives the addresses that a client is configured with.
func (b *Broker) Brokers() []string { return []string{b.address()} }

func (b *Broker) address() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// Kill ends the broker by SIGKILL; what it has acknowledged is on its disk.
func (b *Broker) Kill() { b.process.kill() }

// Restart starts the broker again, at the same address and with its data, and waits until it answers.
func (b *Broker) Restart(t testing.TB) {
	t.Helper()
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
}

func startKafka() (*Broker, error) {
	jars, err := kafkaJars()
	if err != nil {
		return nil, err
	}
	dir, err := folder("kafka")
	if err != nil {
		return nil, err
	}
	for range 3 { // another process may take a port between its choice and its use
		b := &Broker{dir: dir}
		if err = b.configure(jars); err == nil {
			if err = b.start(); err == nil {
				return b, nil
			}
		}
	}
	return nil, err
}

// configure chooses the ports, writes the properties and formats the storage.
func (b *Broker) configure(jars string) error {
	ports, err := port.Free(2)
	if err != nil {
		return err
	}
	controller := ports[0]
	b.port = ports[1]
	properties := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[3]s
num.partitions=3
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=100
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
`, b.port, controller, filepath.Join(b.dir, "data"))
	if err := os.RemoveAll(filepath.Join(b.dir, "data")); err != nil {
		return err
	}
	if err := os.WriteFile(b.properties(), []byte(properties), 0o600); err != nil {
		return err
	}
	if err := os.Symlink(jars, filepath.Join(b.dir, "jars")); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	// The cluster's id is any 16 bytes in base64.
	return output(nil, b.dir, "java", b.java("kafka.tools.StorageTool", "format", "-t", "dHJlbGxpcy1pbi1hLXRlc3Q", "-c", b.properties())...)
}

func (b *Broker) properties() string { return filepath.Join(b.dir, "server.properties") }

// java gives the arguments that run a class of Kafka; starting fast matters more than the last third of its speed.
func (b *Broker) java(class string, args ...string) []string {
	return append([]string{"-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(b.dir, "jars", "*"), class}, args...)
}

func (b *Broker) start() error {
	var err error
	if b.process, err = start(b.dir, nil, nil, "java", b.java("kafka.Kafka", b.properties())...); err != nil {
		return err
	}
	err = b.process.await(60*time.Second, b.ready)
	if err != nil {
		b.process.kill()
	}
	return err
}

// ready asks for the cluster's metadata, which the broker has once its controller has let it in.
func (b *Broker) ready(ctx context.Context) error {
	client := kafka.Client{Addr: kafka.TCP(b.address()), Timeout: time.Second, Transport: &kafka.Transport{DialTimeout: time.Second}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err == nil && (len(metadata.Brokers) == 0 || metadata.Controller.Port == 0) {
		err = errors.New("the broker has not joined its cluster")
	}
	return err
}

// kafkaJars gives the folder that .ci/setup has fetched Kafka into.
func kafkaJars() (string, error) {
	if _, err := find("java"); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	jars := filepath.Join(cache, "trellis", "kafka-"+kafkaVersion)
	if _, err := os.Stat(jars); err != nil {
		return "", fmt.Errorf("the jars of Apache Kafka %s are not in %s: %s", kafkaVersion, jars, remedy)
	}
	return jars, nil
}
