package chassis

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/outbox"
)

// Publisher gives the service's one publisher of events. It connects when it is first used and is closed last.
func (s *Service) Publisher(context.Context) (event.Publisher, error) {
	s.mu.Lock()
	publisher := s.publisher
	s.mu.Unlock()
	if publisher != nil {
		return publisher, nil
	}
	if err := s.brokersKnown("publish events"); err != nil {
		return nil, err
	}
	publisher, err := event.NewKafkaPublisher(event.KafkaOptions{
		Connection: s.kafka(), Observe: s.observe(), Source: s.spec.Name,
	})
	if err != nil {
		return nil, fmt.Errorf("publish events: %w", err)
	}
	s.closeLast("publisher", publisher.Close)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publisher = publisher
	return publisher, nil
}

// Outbox gives an outbox in db, whose tables it creates. Its relay runs until the last request was answered, and then
// publishes what is left.
func (s *Service) Outbox(ctx context.Context, db *database.DB) (*outbox.Outbox, error) {
	publisher, err := s.Publisher(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, db, outbox.Migrations()); err != nil {
		return nil, err
	}
	o, err := outbox.New(db, publisher, outbox.Options{
		Log: s.Log(), Registry: s.registryOf(db), FlushTimeout: s.timeToStop() / 10,
	})
	if err != nil {
		return nil, err
	}
	s.relays.Go("outbox relay", o.Run)
	return o, nil
}

// Outboxes gives an outbox in each of the shards, by name, as Outbox does, so that an event commits with the row that it tells of.
func (s *Service) Outboxes(ctx context.Context, shards map[string]*database.DB) (map[string]*outbox.Outbox, error) {
	all := map[string]*outbox.Outbox{}
	for _, name := range slices.Sorted(maps.Keys(shards)) {
		box, err := s.Outbox(ctx, shards[name])
		if err != nil {
			return nil, fmt.Errorf("shard %s: %w", name, err)
		}
		all[name] = box
	}
	return all, nil
}

// registryOf takes the metrics of what is kept in db. A service with shards has several of a kind, so they tell the shard.
func (s *Service) registryOf(db *database.DB) prometheus.Registerer {
	if len(s.spec.Shards) == 0 {
		return s.Registry()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := "" // none: the service's own database
	for name, shard := range s.shards {
		if shard == db {
			of = name
		}
	}
	return prometheus.WrapRegistererWith(prometheus.Labels{"shard": of}, s.Registry())
}

// Consume has events of a declared type handled by h, once wire has returned. All types share one consumer whose group is
// the service's name.
func (s *Service) Consume(typ string, h event.Handler) {
	if !slices.Contains(s.spec.Consumes, typ) {
		s.misuse("consume %s: the service does not declare that it does: add it to events.consumes in its service.yaml and run scaffold sync", typ)
		return
	}
	if _, twice := s.handlers[typ]; twice {
		s.misuse("consume %s: it has a handler already: give the type one handler that does both", typ)
		return
	}
	s.handlers[typ] = h
}

// buildConsumer makes the consumer of everything that wire asked for.
func (s *Service) buildConsumer() error {
	if len(s.handlers) == 0 {
		return nil
	}
	if err := s.brokersKnown("consume events"); err != nil {
		return err
	}
	consumer, err := s.newConsumer(s)
	if err != nil {
		return fmt.Errorf("consume events: %w", err)
	}
	s.consumers.Go("consumer", consumer.Run)
	return nil
}

func kafkaConsumer(s *Service) (runner, error) {
	return event.NewConsumer(s.consumerOptions())
}

func (s *Service) consumerOptions() event.ConsumerOptions {
	return event.ConsumerOptions{
		Connection: s.kafka(), Observe: s.observe(), Group: s.spec.Name, Handlers: s.handlers,
		Drain: s.timeToStop() * 2 / 5, Away: database.Away,
	}
}

func (s *Service) kafka() event.Connection {
	return event.Connection{Brokers: s.settings.Kafka.Brokers}
}

func (s *Service) observe() event.Observe {
	return event.Observe{Log: s.Log(), Registry: s.Registry(), Tracer: s.tel.Tracing, Propagator: s.tel.Propagator}
}

func (s *Service) brokersKnown(purpose string) error {
	if len(s.settings.Kafka.Brokers) == 0 {
		return missing(purpose, "kafka.brokers", "localhost:9092")
	}
	return nil
}
