// Package event carries CloudEvents over Kafka: it publishes with the brokers' word that the events are safe, and consumes
// in order by key, with retries and dead letters.
//
// A topic is an event type, a record's key is the event's subject (the aggregate's id), a consumer group is a service.
// Events travel in CloudEvents' binary mode, with the trace and the request's ids as headers. It is no general Kafka
// client, and it makes no transaction of a database and a topic: package outbox does.
//
//	pub, err := event.NewKafkaPublisher(event.KafkaOptions{Connection: kafka, Source: "orders"})
//	e, err := event.New("order.created.v1", order.ID, order)
//	err = pub.Publish(ctx, e)
//
//	consumer, err := event.NewConsumer(event.ConsumerOptions{
//		Connection: kafka, Group: "shipping",
//		Handlers: map[string]event.Handler{"order.created.v1": onOrderCreated},
//	})
//	err = consumer.Run(ctx)
package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
)

// Event is a CloudEvent (specification 1.0).
type Event = cloudevents.Event

// Handler handles one event. An event may come again - after a crash, or when partitions move - so a handler's effect must
// bear that: see outbox.Inbox. An error is retried unless it is Permanent; a panic counts as an error. While
// ConsumerOptions.Away says so, it is retried without end.
type Handler func(ctx context.Context, e Event) error

// Publisher publishes events. It returns nil only when every event is safe, and keeps the order of the events of a key:
// when one fails, later ones of its key are not sent. A *PublishError tells which failed.
type Publisher interface {
	Publish(ctx context.Context, events ...Event) error
}

// New makes an event of type typ, now, with a new id. The key, usually the id of the aggregate it is about, becomes the
// subject: events of one key keep their order. The data becomes the JSON payload. The source is set on publishing.
func New(typ, key string, data any) (Event, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Event{}, fmt.Errorf("new %s: %w", typ, err)
	}
	payload, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("new %s: %w", typ, err)
	}
	e := cloudevents.New()
	e.SetID(id.String())
	e.SetType(typ)
	e.SetTime(time.Now().UTC())
	if key != "" {
		e.SetSubject(key)
	}
	if err := e.SetData(cloudevents.ApplicationJSON, json.RawMessage(payload)); err != nil {
		return Event{}, fmt.Errorf("new %s: %w", typ, err)
	}
	return e, nil
}

// Decode reads the event's JSON payload into T. Fields that T lacks are ignored, so a publisher may add some. A payload
// that does not fit is Permanent.
func Decode[T any](e Event) (T, error) {
	var v T
	if err := json.Unmarshal(e.Data(), &v); err != nil {
		return v, Permanent(fmt.Errorf("decode %s %s: %w", e.Type(), e.ID(), err))
	}
	return v, nil
}

// Permanent marks an error that no retry can mend: the event is dead-lettered at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent reports whether err, or one it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// ErrRefused is wrapped by the error of an event that itself is at fault: it is no valid CloudEvent, or the broker refuses
// it, for its size say. Any other failure to publish has to do with the broker or the way to it and passes by itself.
var ErrRefused = errors.New("refused")

// ErrHeld is the error of an event that was not sent since an earlier one of its key had failed.
var ErrHeld = errors.New("held back behind a failed event of its key")

// PublishError tells which events of a Publish failed.
type PublishError struct {
	Errs []error // by the event's position; nil where the event is safe
}

// Error gives the first failure and how many there are.
func (e *PublishError) Error() string {
	failed := e.Unwrap()
	if len(failed) == 0 {
		return "publish: no failure"
	}
	if len(failed) == 1 {
		return "publish: " + failed[0].Error()
	}
	return fmt.Sprintf("publish: %d of %d events failed: %v", len(failed), len(e.Errs), failed[0])
}

// Unwrap gives the failures.
func (e *PublishError) Unwrap() []error {
	var failed []error
	for _, err := range e.Errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
