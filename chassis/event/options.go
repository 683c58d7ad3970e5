package event

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Connection says how to reach Kafka; without TLS and SASL, the brokers' addresses are all it needs.
type Connection struct {
	Brokers []string // host:port
	TLS     *tls.Config
	SASL    sasl.Mechanism
}

func (c Connection) validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("no Kafka broker is given: set kafka.brokers")
	}
	if i := slices.Index(c.Brokers, ""); i >= 0 {
		return fmt.Errorf("broker %d of %d is empty: kafka.brokers wants host:port", i+1, len(c.Brokers))
	}
	return nil
}

// transport is a pool of connections for requests. It asks for the cluster's layout again at least every 3 s: it has no
// other way to learn that a partition's leader has moved.
func (c Connection) transport() *kafka.Transport {
	return &kafka.Transport{ClientID: "trellis", TLS: c.TLS, SASL: c.SASL, MetadataTTL: 3 * time.Second, DialTimeout: 3 * time.Second}
}

// Topics says how topics that are missing get created.
type Topics struct {
	Keep        bool // create none: somebody else does
	Partitions  int  // of a created topic; default 3
	Replication int  // of a created topic; default: the brokers' own default
}

func (t Topics) withDefaults() Topics {
	if t.Partitions == 0 {
		t.Partitions = 3
	}
	if t.Replication == 0 {
		t.Replication = -1
	}
	return t
}

// Observe says where logs, metrics and spans go.
type Observe struct {
	Log        *slog.Logger                  // default: slog.Default
	Registry   prometheus.Registerer         // nil: no metrics
	Tracer     trace.TracerProvider          // default: the global provider
	Propagator propagation.TextMapPropagator // default: the global propagator
}

func (o Observe) withDefaults() Observe {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Tracer == nil {
		o.Tracer = otel.GetTracerProvider()
	}
	if o.Propagator == nil {
		o.Propagator = otel.GetTextMapPropagator()
	}
	return o
}

func (o Observe) tracer() trace.Tracer {
	return o.Tracer.Tracer("github.com/trellis-mesh/trellis/chassis/event")
}

// KafkaOptions configure a KafkaPublisher.
type KafkaOptions struct {
	Connection
	Observe
	Topics  Topics
	Source  string        // the CloudEvents source of events that have none: the service's name
	Timeout time.Duration // of one Publish; default 10s
}

func (o KafkaOptions) withDefaults() KafkaOptions {
	o.Observe, o.Topics = o.Observe.withDefaults(), o.Topics.withDefaults()
	defaultTo(&o.Timeout, 10*time.Second)
	return o
}

func (o KafkaOptions) validate() error {
	if o.Source == "" {
		return errors.New("a publisher needs a source: the service's name")
	}
	return o.Connection.validate()
}

// ConsumerOptions configure a Consumer.
type ConsumerOptions struct {
	Connection
	Observe
	Topics     Topics
	Group      string             // the service's name
	Handlers   map[string]Handler // by event type, which is the topic
	Attempts   int                // an event's attempts before it is dead-lettered; default 3
	Backoff    time.Duration      // the wait before the second attempt, doubled for each further one; default 1s
	MaxBackoff time.Duration      // the longest wait; default 30s
	Timeout    time.Duration      // of one attempt; default 30s
	Drain      time.Duration      // how long a stop or a rebalance lets the event in hand go on; default 20s
	// Away tells the errors that say nothing about the event, since what handlers stand on is away: database.Away. Such an attempt
	// does not count, and is made again until it is back. Default: there are none.
	Away func(error) bool
}

func (o ConsumerOptions) withDefaults() ConsumerOptions {
	o.Observe, o.Topics = o.Observe.withDefaults(), o.Topics.withDefaults()
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	defaultTo(&o.Backoff, time.Second)
	defaultTo(&o.MaxBackoff, 30*time.Second)
	defaultTo(&o.Timeout, 30*time.Second)
	defaultTo(&o.Drain, 20*time.Second)
	if o.Away == nil {
		o.Away = func(error) bool { return false }
	}
	return o
}

func (o ConsumerOptions) validate() error {
	if o.Group == "" {
		return errors.New("a consumer needs a group: the service's name")
	}
	if len(o.Handlers) == 0 {
		return errors.New("a consumer needs a handler")
	}
	for typ, handler := range o.Handlers {
		if typ == "" || handler == nil {
			return fmt.Errorf("the handler of event type %q is missing or has no type", typ)
		}
	}
	return o.Connection.validate()
}

func defaultTo(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}
