// Package event carries CloudEvents over Kafka: publishing that returns when the brokers have the events safely, and
// consuming in order by key with retries and dead letters.
//
// A topic is an event type, a record's key is the event's subject (the aggregate's id), and a consumer group is a service.
// It is no general Kafka client, and it makes no transaction of a database and a topic: package outbox does.
package event

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go/sasl"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Event is a CloudEvent (specification 1.0).
type Event = cloudevents.Event

// Handler handles one event. It is called again for an event whose offset was not committed, so it must be idempotent
// (see outbox.Inbox). An error is retried unless it is Permanent.
type Handler func(ctx context.Context, e Event) error

// Publisher publishes events, in order per key. It returns nil only when every event is safe.
type Publisher interface {
	Publish(ctx context.Context, events ...Event) error
}

var errUnfinished = errors.New("unfinished")

// New makes an event of type typ with a new id and the current time; key becomes its subject, data its JSON payload.
func New(typ, key string, data any) (Event, error) { return Event{}, errUnfinished }

// Decode reads the event's payload into T; a payload that does not fit is Permanent.
func Decode[T any](e Event) (T, error) { var v T; return v, errUnfinished }

// Permanent marks an error that no retry can mend: the event is dead-lettered at once.
func Permanent(err error) error { return err }

// Connection says how to reach Kafka; the zero value of all but Brokers is right without TLS.
type Connection struct {
	Brokers []string
	TLS     *tls.Config
	SASL    sasl.Mechanism
}

// Topics says how missing topics are created.
type Topics struct {
	Keep        bool // never create topics: they are made by someone else
	Partitions  int  // of a created topic; default 3
	Replication int  // of a created topic; default: the broker's own default
}

// Observe says where logs, metrics and spans go; the zero value: slog.Default, no metrics, the global tracer and propagator.
type Observe struct {
	Log        *slog.Logger
	Registry   prometheus.Registerer
	Tracer     trace.TracerProvider
	Propagator propagation.TextMapPropagator
}

// KafkaOptions configure a KafkaPublisher.
type KafkaOptions struct {
	Connection
	Observe
	Topics  Topics
	Source  string        // the CloudEvents source of events that have none, e.g. the service's name
	Timeout time.Duration // of one Publish when its context has no deadline before it; default 10s
}

// KafkaPublisher publishes to Kafka.
type KafkaPublisher struct{}

// NewKafkaPublisher checks the options; it connects on first use.
func NewKafkaPublisher(opt KafkaOptions) (*KafkaPublisher, error) { return nil, errUnfinished }

// Publish returns when all in-sync replicas have the events.
func (p *KafkaPublisher) Publish(ctx context.Context, events ...Event) error { return errUnfinished }

// Close releases the connections.
func (p *KafkaPublisher) Close() error { return nil }

// ConsumerOptions configure a Consumer.
type ConsumerOptions struct {
	Connection
	Observe
	Topics     Topics
	Group      string             // the service's name
	Handlers   map[string]Handler // by event type
	Attempts   int                // per event before it is dead-lettered; default 3
	Backoff    time.Duration      // before the second attempt, doubled for each further one; default 1s
	MaxBackoff time.Duration      // default 30s
	Drain      time.Duration      // how long a stop or rebalance waits for the event in hand; default 20s
}

// Consumer consumes events for one group.
type Consumer struct{}

// NewConsumer checks the options.
func NewConsumer(opt ConsumerOptions) (*Consumer, error) { return nil, errUnfinished }

// Run consumes until ctx ends; then it finishes the events in hand, leaves the group and returns nil.
func (c *Consumer) Run(ctx context.Context) error { return errUnfinished }
