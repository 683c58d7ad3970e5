package event

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// errInterrupted ends the work on an event that stays uncommitted: it will come again, here or elsewhere.
var errInterrupted = errors.New("interrupted by a stop or a rebalance")

// handle brings a record to its end: handled, or dead-lettered. It is false when it was interrupted before that. Retries
// and waits go on while open does; what is in hand goes on while hand does.
func (c *Consumer) handle(open, hand context.Context, m kafka.Message) bool {
	e, err := decode(m.Headers, m.Value)
	handler := c.opt.Handlers[e.Type()]
	typ := e.Type()
	if err == nil && handler == nil {
		err = fmt.Errorf("there is no handler for events of type %q", typ)
	}
	if handler == nil {
		typ = "unknown" // anything may be in a record, so it must not become a label
	}
	ctx := extract(hand, c.opt.Propagator, m.Headers, e)
	ctx, span := c.startSpan(ctx, typ, e, m)
	defer span.End()

	attempts := 0
	if err == nil {
		attempts, err = c.attempt(open, ctx, e, handler)
	}
	outcome := "ok"
	if err != nil && !errors.Is(err, errInterrupted) {
		outcome = "dead"
		c.opt.Log.ErrorContext(ctx, "an event is dead-lettered", "type", typ, "id", e.ID(), "attempts", attempts, "error", err)
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(attribute.String("error.type", outcome))
		if !c.deadLetter(open, ctx, m, attempts, err) {
			err = errInterrupted
		}
	}
	if errors.Is(err, errInterrupted) {
		span.AddEvent("interrupted")
		return false
	}
	c.metrics.consumed.WithLabelValues(typ, outcome).Inc()
	return true
}

func (c *Consumer) startSpan(ctx context.Context, typ string, e Event, m kafka.Message) (context.Context, trace.Span) {
	return c.tracer.Start(ctx, "process "+typ, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.name", m.Topic),
		attribute.String("messaging.destination.partition.id", strconv.Itoa(m.Partition)),
		attribute.Int64("messaging.kafka.offset", m.Offset), attribute.String("messaging.kafka.message.key", string(m.Key)),
		attribute.String("messaging.consumer.group.name", c.opt.Group), attribute.String("messaging.message.id", e.ID()),
		attribute.Int("messaging.message.body.size", len(m.Value)),
	))
}

// attempt calls the handler until it succeeds, fails for good, or has used up its attempts. While what it stands on is away, an attempt
// says nothing about the event and does not count.
func (c *Consumer) attempt(open, ctx context.Context, e Event, handler Handler) (attempts int, err error) {
	var outage outage
	defer c.over(ctx, &outage)
	for attempts = 1; ; {
		err = c.call(ctx, e, handler)
		if err == nil {
			return attempts, nil
		}
		if ctx.Err() != nil { // Drain is over: the handler failed since it was stopped
			return attempts, errInterrupted
		}
		away := !IsPermanent(err) && c.opt.Away(err)
		if !away && (IsPermanent(err) || attempts >= c.opt.Attempts) {
			return attempts, err
		}
		c.metrics.retries.WithLabelValues(e.Type()).Inc()
		pause := c.backoff(attempts)
		if away {
			pause = c.during(ctx, &outage, e, err)
		} else {
			c.over(ctx, &outage)
			c.opt.Log.WarnContext(ctx, "an event is tried again", "type", e.Type(), "id", e.ID(), "attempt", attempts, "in", pause.String(), "error", err)
			note(ctx, "retry", attempts, err)
			attempts++
		}
		if !wait(open, pause) {
			return attempts, errInterrupted
		}
	}
}

func note(ctx context.Context, what string, attempt int, err error) {
	trace.SpanFromContext(ctx).AddEvent(what, trace.WithAttributes(
		attribute.Int("attempt", attempt), attribute.String("error", err.Error())))
}

// outage is how often an event was tried in vain since what its handler stands on went away.
type outage int

// during gives the pause before the next try. Only the first event that an outage stops tells the log of it.
func (c *Consumer) during(ctx context.Context, o *outage, e Event, err error) time.Duration {
	if *o++; *o == 1 {
		note(ctx, "away", 1, err)
		if c.stopped.Add(1) == 1 {
			c.opt.Log.WarnContext(ctx, "events wait: what their handlers stand on is away", "type", e.Type(), "id", e.ID(), "error", err)
		}
	}
	return c.backoff(int(*o))
}

// over ends the event's part in an outage, if it has any; the last one tells the log.
func (c *Consumer) over(ctx context.Context, o *outage) {
	if *o > 0 && c.stopped.Add(-1) == 0 {
		c.opt.Log.InfoContext(ctx, "no event waits any longer for what its handler stands on")
	}
	*o = 0
}

// backoff is the wait after the attempt of that number: Backoff, doubled each time, at most MaxBackoff.
func (c *Consumer) backoff(attempt int) time.Duration {
	pause := c.opt.Backoff
	for range attempt - 1 {
		if pause *= 2; pause >= c.opt.MaxBackoff {
			break
		}
	}
	return min(pause, c.opt.MaxBackoff)
}

// call calls the handler once, with a time limit; a panic becomes an error.
func (c *Consumer) call(ctx context.Context, e Event, handler Handler) (err error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the handler panicked: %v", v)
			c.opt.Log.ErrorContext(ctx, "a handler panicked", "type", e.Type(), "id", e.ID(), "panic", v, "stack", string(debug.Stack()))
		}
		outcome := "ok"
		if err != nil {
			outcome = "error"
		}
		c.metrics.duration.WithLabelValues(e.Type(), outcome).Observe(time.Since(started).Seconds())
	}()
	return handler(ctx, e)
}
