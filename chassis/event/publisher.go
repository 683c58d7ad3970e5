package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// KafkaPublisher publishes to Kafka. It is safe for concurrent use.
type KafkaPublisher struct {
	opt     KafkaOptions
	out     *producer
	tracer  trace.Tracer
	metrics publisherMetrics
}

var _ Publisher = (*KafkaPublisher)(nil)

// NewKafkaPublisher checks the options; the publisher connects when it is first used.
func NewKafkaPublisher(opt KafkaOptions) (*KafkaPublisher, error) {
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	opt = opt.withDefaults()
	metrics, err := newPublisherMetrics(opt.Registry)
	if err != nil {
		return nil, fmt.Errorf("publisher: metrics: %w", err)
	}
	return &KafkaPublisher{opt: opt, out: newProducer(opt.Connection, opt.Topics, opt.Timeout), tracer: opt.tracer(), metrics: metrics}, nil
}

// Close closes the connections.
func (p *KafkaPublisher) Close() error {
	p.out.close()
	return nil
}

// outgoing is an event on its way.
type outgoing struct {
	topic   string
	key     string
	value   []byte
	headers []kafka.Header
	span    trace.Span
	err     error
}

// Publish returns when all in-sync replicas have the events, at most after Timeout. It tries again meanwhile, so an event
// can be there twice. Each event gets a span, in the trace that the event itself carries (see Inject) or else in ctx's.
func (p *KafkaPublisher) Publish(ctx context.Context, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.opt.Timeout)
	defer cancel()
	started := time.Now()
	all := make([]*outgoing, len(events))
	for i, e := range events {
		all[i] = p.prepare(ctx, e)
	}
	p.send(ctx, all)
	p.metrics.duration.Observe(time.Since(started).Seconds())
	return p.finish(all)
}

func (p *KafkaPublisher) prepare(ctx context.Context, e Event) *outgoing {
	if extension(e, "traceparent") != "" {
		ctx = Extract(ctx, e)
	}
	ctx, span := p.tracer.Start(ctx, "publish "+e.Type(), trace.WithSpanKind(trace.SpanKindProducer))
	e = Inject(ctx, e)
	if e.Source() == "" {
		e.SetSource(p.opt.Source)
	}
	o := &outgoing{topic: e.Type(), key: e.Subject(), span: span}
	if o.headers, o.value, o.err = encode(e); o.err == nil {
		o.err = checkTopic(o.topic)
	}
	o.headers = inject(ctx, p.opt.Propagator, o.headers)
	span.SetAttributes(
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.operation.name", "publish"),
		attribute.String("messaging.operation.type", "send"), attribute.String("messaging.destination.name", o.topic),
		attribute.String("messaging.message.id", e.ID()), attribute.String("messaging.kafka.message.key", o.key),
		attribute.Int("messaging.message.body.size", len(o.value)),
	)
	return o
}

// send sends the events of each topic at the same time. An event that cannot be encoded holds back its key.
func (p *KafkaPublisher) send(ctx context.Context, all []*outgoing) {
	byTopic := map[string][]*outgoing{}
	for _, o := range hold(all) {
		byTopic[o.topic] = append(byTopic[o.topic], o)
	}
	var group sync.WaitGroup
	for topic, batch := range byTopic {
		group.Go(func() { p.out.send(ctx, topic, batch) })
	}
	group.Wait()
}

// hold marks what stands behind a failed event of its key and gives what is left to send.
func hold(all []*outgoing) (rest []*outgoing) {
	type keyed struct{ topic, key string }
	failed := map[keyed]bool{}
	for _, o := range all {
		k := keyed{o.topic, o.key}
		switch {
		case o.err != nil:
			failed[k] = o.key != ""
		case failed[k]:
			o.err = ErrHeld
		default:
			rest = append(rest, o)
		}
	}
	return rest
}

func (p *KafkaPublisher) finish(all []*outgoing) error {
	errs := make([]error, len(all))
	failed := false
	for i, o := range all {
		outcome := "ok"
		if o.err != nil {
			failed = true
			errs[i] = fmt.Errorf("%s: %w", o.topic, o.err)
			outcome = "failed"
			if errors.Is(o.err, ErrRefused) {
				outcome = "refused"
			}
			o.span.SetStatus(codes.Error, o.err.Error())
			o.span.SetAttributes(attribute.String("error.type", outcome))
		}
		o.span.End()
		p.metrics.published.WithLabelValues(o.topic, outcome).Inc()
	}
	if failed {
		return &PublishError{Errs: errs}
	}
	return nil
}
