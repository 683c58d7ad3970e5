package eventtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

func arrivesWhole(l *lab) {
	var got sink
	typ := l.typ("thing.made")
	sent, err := event.New(typ, "kéy 1", payload{N: 7, Text: "ünïcode \u4e16\n\"quoted\""})
	if err != nil {
		l.Fatal(err)
	}
	sent.SetExtension("tenant", "t1")
	sent.SetDataSchema("https://example.org/thing")
	l.consume(l.group("g"), map[string]event.Handler{typ: got.handle})
	l.publish(sent)
	l.eventually("the event arrives", func() bool { return got.len() == 1 })

	sent.SetSource("eventtest") // the publisher's
	if diff := cmp.Diff(sent.String(), got.seen[0].String()); diff != "" {
		l.Errorf("event (-sent +got):\n%s", diff)
	}
	if p, err := event.Decode[payload](got.seen[0]); err != nil || p.N != 7 {
		l.Errorf("payload %+v, %v", p, err)
	}
}

func keepsOrder(l *lab) {
	const keys, each, batch = 5, 60, 20
	var got sink
	typ := l.typ("thing.counted")
	l.consume(l.group("g"), map[string]event.Handler{typ: got.handle})
	var group sync.WaitGroup
	for k := range keys {
		group.Go(func() {
			for n := 0; n < each; n += batch {
				var events []event.Event
				for i := range batch {
					events = append(events, l.event(typ, fmt.Sprint("k", k), n+i))
				}
				if err := l.pub.Publish(l.Context(), events...); err != nil {
					l.Error(err)
				}
			}
		})
	}
	group.Wait()
	l.eventually("all arrive", func() bool { return got.len() >= keys*each })
	want := map[string]string{}
	for k := range keys {
		want[fmt.Sprint("k", k)] = count(each)
	}
	if diff := cmp.Diff(want, got.byKey(l)); diff != "" {
		l.Errorf("by key (-want +got):\n%s", diff)
	}
}

// count gives "0 1 2 … n-1".
func count(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprint(i)
	}
	return strings.Join(words, " ")
}

func groupsAndMembers(l *lab) {
	const n = 30
	var shared, alone sink
	typ := l.typ("thing.shared")
	for range 2 {
		l.consume(l.group("shared"), map[string]event.Handler{typ: shared.handle})
	}
	l.consume(l.group("alone"), map[string]event.Handler{typ: alone.handle})
	for i := range n {
		l.publish(l.event(typ, fmt.Sprint("k", i), 0))
	}
	l.eventually("both groups have all", func() bool { return len(shared.byKey(l)) == n && len(alone.byKey(l)) == n })
	if alone.len() != n {
		l.Errorf("a group of one got %d events of %d", alone.len(), n)
	}
}

func tracePropagates(l *lab) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	pub, err := event.NewKafkaPublisher(event.KafkaOptions{
		Connection: l.connection(), Source: "eventtest", Observe: event.Observe{Tracer: provider, Propagator: propagation.TraceContext{}},
	})
	if err != nil {
		l.Fatal(err)
	}
	defer func() { _ = pub.Close() }()
	typ := l.typ("thing.traced")
	inside := make(chan context.Context, 1)
	c := l.consume(l.group("g"), map[string]event.Handler{typ: func(ctx context.Context, _ event.Event) error {
		inside <- ctx
		return nil
	}}, func(o *event.ConsumerOptions) { o.Tracer = provider })

	ctx, request := provider.Tracer("test").Start(l.Context(), "request")
	ctx = telemetry.WithIDs(ctx, telemetry.IDs{Request: "req-1", Correlation: "cor-1"})
	if err := pub.Publish(ctx, l.event(typ, "k", 0)); err != nil {
		l.Fatal(err)
	}
	request.End()
	select {
	case ctx := <-inside:
		if got := telemetry.ContextIDs(ctx); got != (telemetry.IDs{Request: "req-1", Correlation: "cor-1"}) {
			l.Errorf("the handler's ids are %+v", got)
		}
	case <-time.After(patience):
		l.Fatal("the event does not arrive")
	}
	c.end()
	wantChain(l, spans.Ended(), "request", "publish "+typ, "process "+typ)
}

// wantChain fails unless each of the spans called names is a child of the one before.
func wantChain(l *lab, spans []sdktrace.ReadOnlySpan, names ...string) {
	l.Helper()
	var parent trace.SpanContext
	for _, name := range names {
		found := false
		for _, span := range spans {
			if span.Name() != name {
				continue
			}
			found = true
			if parent.IsValid() && (span.Parent().SpanID() != parent.SpanID() || span.SpanContext().TraceID() != parent.TraceID()) {
				l.Errorf("span %q is not a child of the one before", name)
			}
			parent = span.SpanContext()
		}
		if !found {
			l.Fatalf("there is no span %q", name)
		}
	}
}

func refusedHoldsKey(l *lab) {
	typ := l.typ("thing.large")
	var got sink
	l.consume(l.group("g"), map[string]event.Handler{typ: got.handle})
	large, err := event.New(typ, "bad", payload{Text: strings.Repeat("x", 3<<20)})
	if err != nil {
		l.Fatal(err)
	}
	err = l.pub.Publish(l.Context(), l.event(typ, "bad", 0), large, l.event(typ, "bad", 1), l.event(typ, "good", 0))
	var failure *event.PublishError
	if !errors.As(err, &failure) {
		l.Fatalf("got %v, want a PublishError", err)
	}
	for i, want := range []error{nil, event.ErrRefused, event.ErrHeld, nil} {
		if !errors.Is(failure.Errs[i], want) {
			l.Errorf("event %d: got %v, want %v", i, failure.Errs[i], want)
		}
	}
	l.eventually("the others arrive", func() bool { return got.len() >= 2 })
	if diff := cmp.Diff(map[string]string{"bad": "0", "good": "0"}, got.byKey(l)); diff != "" {
		l.Errorf("by key (-want +got):\n%s", diff)
	}
}

func invalidIsRefused(l *lab) {
	invalid := l.event(l.typ("thing.invalid"), "k", 0)
	invalid.SetID("")
	if err := l.pub.Publish(l.Context(), invalid); !errors.Is(err, event.ErrRefused) {
		l.Errorf("an event without an id: got %v, want ErrRefused", err)
	}
	misnamed := l.event("not a topic's name!", "k", 0)
	if err := l.pub.Publish(l.Context(), misnamed); !errors.Is(err, event.ErrRefused) {
		l.Errorf("a type that can be no topic: got %v, want ErrRefused", err)
	}
}

func publishEndsWithContext(l *lab) {
	ctx, cancel := context.WithCancel(l.Context())
	cancel()
	if err := l.pub.Publish(ctx, l.event(l.typ("thing.late"), "k", 0)); !errors.Is(err, context.Canceled) {
		l.Errorf("got %v, want context.Canceled", err)
	}
}
