package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/services/notifications/internal/domain"
	"github.com/trellis-mesh/trellis/services/notifications/internal/mail"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
)

const (
	senders = 4                // at a time, in each replica
	poll    = time.Second      // how soon a message is found that another replica kept or left
	measure = 15 * time.Second // how often the waiting ones are counted
	keeping = 5 * time.Second  // how long noting an outcome may take, even when the service stops
	// lease is how long a sender is left alone with a message. It is longer than any talk with the server.
	lease = time.Minute
	// fewest attempts are made of every message, however old it is: it may have waited for a mail server, or for the service.
	fewest = 10
)

// Run sends messages until ctx ends. Several replicas may run it: a message is one's at a time.
func (n *Notifications) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { n.measure(ctx) })
	if n.opt.Mailer == nil {
		n.opt.Log.WarnContext(ctx, "there is no mail server: messages are kept and wait until smtp.host names one")
		return nil
	}
	for range senders {
		group.Go(func() { n.serve(ctx) })
	}
	return nil
}

func (n *Notifications) serve(ctx context.Context) {
	for ctx.Err() == nil {
		did, err := n.Work(ctx)
		if err != nil && ctx.Err() == nil {
			n.opt.Log.WarnContext(ctx, "messages cannot be sent; it is tried again", "error", err)
		}
		if did && err == nil {
			continue
		}
		rest(ctx, poll, n.wake)
	}
}

// measure counts what waits.
func (n *Notifications) measure(ctx context.Context) {
	for ctx.Err() == nil {
		counts, err := n.store.Waiting(ctx)
		if err != nil && ctx.Err() == nil {
			n.opt.Log.WarnContext(ctx, "waiting messages cannot be counted", "error", err)
		}
		if err == nil {
			for _, kind := range domain.Kinds {
				n.metrics.waiting.WithLabelValues(string(kind)).Set(float64(counts[kind]))
			}
		}
		rest(ctx, measure, nil)
	}
}

// rest waits for d, for a wake-up or for the end of ctx.
func rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}

// Wake has Run look for messages now.
func (n *Notifications) Wake() {
	select {
	case n.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Work takes one message that is due and sends it; false when none is due. What becomes of the message is no error of it.
func (n *Notifications) Work(ctx context.Context) (bool, error) {
	claimed, ok, err := n.store.Claim(ctx, n.now(), n.now().Add(lease))
	if err != nil || !ok {
		return false, err
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": claimed.Traceparent})
	ctx, span := n.tracer.Start(ctx, "send "+string(claimed.Kind), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("notification.id", claimed.ID), attribute.String("notification.kind", string(claimed.Kind)),
		attribute.Int("notification.attempt", claimed.Attempts),
	))
	defer span.End()
	if claimed.InDoubt {
		span.AddEvent("in doubt")
		n.metrics.repeated.Inc()
		n.opt.Log.WarnContext(ctx, "a message is sent again: whether it was sent before is not known", "id", claimed.ID, "kind", claimed.Kind)
	}
	return true, n.deliver(ctx, claimed)
}

// deliver sends a message and notes what became of it. The note is written even when the service is told to stop meanwhile.
func (n *Notifications) deliver(ctx context.Context, claimed store.Claimed) error {
	m := claimed.Message
	failure := n.send(ctx, m)
	span := trace.SpanFromContext(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keeping)
	defer cancel()
	if failure == nil {
		span.AddEvent("accepted by the mail server")
		if err := n.store.Sent(ctx, m, n.now()); err != nil {
			return err
		}
		n.metrics.count(m.Kind, domain.Sent)
		n.opt.Log.InfoContext(ctx, "a message is sent", "id", m.ID, "kind", m.Kind, "attempt", m.Attempts)
		return nil
	}
	span.SetStatus(codes.Error, failure.reason)
	if !failure.permanent && (n.now().Sub(m.CreatedAt) < failure.limit || m.Attempts < fewest) {
		next := pause(m.Attempts)
		n.opt.Log.WarnContext(ctx, "a message is not sent yet", "id", m.ID, "kind", m.Kind, "attempt", m.Attempts, "reason", failure.reason,
			"next", next.String())
		return n.store.Postpone(ctx, m, failure.reason, n.now().Add(next))
	}
	if err := n.store.Fail(ctx, m, failure.reason); err != nil {
		return err
	}
	n.metrics.count(m.Kind, domain.Failed)
	n.opt.Log.ErrorContext(ctx, "a message is given up", "id", m.ID, "kind", m.Kind, "attempt", m.Attempts, "reason", failure.reason)
	return nil
}

// failure is why a message was not sent, and how long, from its making on, it is tried again, unless that were fewer than fewest attempts.
type failure struct {
	reason    string
	permanent bool
	limit     time.Duration
}

func (n *Notifications) send(ctx context.Context, m domain.Message) *failure {
	customer, known, err := n.store.Customer(ctx, m.CustomerID)
	switch {
	case err != nil:
		return &failure{reason: "the address could not be looked up", limit: n.opt.Expiry}
	case !known:
		return &failure{reason: domain.NoAddress, limit: n.opt.Patience}
	}
	subject, text := m.Letter(customer.Name)
	err = n.opt.Mailer.Send(ctx, mail.Letter{
		ID: m.ID, Kind: string(m.Kind), To: customer.Email, Subject: subject, Text: text, Date: m.CreatedAt,
	})
	if err == nil {
		return nil
	}
	refused := (*mail.Error)(nil)
	permanent := errors.As(err, &refused) && refused.Permanent
	return &failure{reason: err.Error(), permanent: permanent, limit: n.opt.Expiry}
}

// pause is how long a message is left alone after so many attempts.
func pause(attempts int) time.Duration {
	const shortest, longest = time.Second, 5 * time.Minute
	return min(longest, shortest<<min(attempts-1, 9))
}
