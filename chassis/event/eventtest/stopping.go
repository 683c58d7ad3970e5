package eventtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/chassis/event"
)

func stopFinishes(l *lab) {
	typ, group := l.typ("thing.slow"), l.group("g")
	entered, release := make(chan struct{}), make(chan struct{})
	var got sink
	first := l.consume(group, map[string]event.Handler{typ: func(ctx context.Context, e event.Event) error {
		close(entered)
		<-release
		if ctx.Err() != nil {
			l.Error("the event in hand was cut off")
		}
		return got.handle(ctx, e)
	}})
	l.publish(l.event(typ, "k", 0), l.event(typ, "k", 1))
	<-entered
	first.stop()
	close(release)
	first.end()
	if got.len() != 1 {
		l.Errorf("%d events were handled, want the one in hand", got.len())
	}
	l.consume(group, map[string]event.Handler{typ: got.handle})
	l.eventually("the next member handles the rest", func() bool { return got.len() >= 2 })
	if diff := cmp.Diff(map[string]string{"k": "0 1"}, got.byKey(l)); diff != "" {
		l.Errorf("by key (-want +got):\n%s", diff)
	}
}

func stopDuringBackoff(l *lab) {
	stopWhileWaiting(l, errMade, func(*event.ConsumerOptions) {})
}

// stopWhileWaiting stops a consumer while an event waits for long, since its handler failed so; it comes again.
func stopWhileWaiting(l *lab, failure error, more func(*event.ConsumerOptions)) {
	l.Helper()
	typ, group := l.typ("thing.waiting"), l.group("g")
	failed := make(chan struct{}, 1)
	first := l.consume(group, map[string]event.Handler{typ: func(context.Context, event.Event) error {
		failed <- struct{}{}
		return failure
	}}, func(o *event.ConsumerOptions) {
		o.Backoff, o.MaxBackoff = time.Hour, time.Hour
		more(o)
	})
	l.publish(l.event(typ, "k", 0))
	<-failed
	first.end()
	var got sink
	l.consume(group, map[string]event.Handler{typ: got.handle})
	l.eventually("the event comes again", func() bool { return got.len() == 1 })
	l.deadLetters(group, 0)
}

func stopIsBounded(l *lab) {
	typ, group := l.typ("thing.stuck"), l.group("g")
	entered := make(chan struct{}, 1)
	first := l.consume(group, map[string]event.Handler{typ: func(ctx context.Context, _ event.Event) error {
		entered <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}}, func(o *event.ConsumerOptions) { o.Drain, o.Timeout = 50*time.Millisecond, time.Hour })
	l.publish(l.event(typ, "k", 0))
	<-entered
	first.end()
	var got sink
	l.consume(group, map[string]event.Handler{typ: got.handle})
	l.eventually("the event comes again", func() bool { return got.len() == 1 })
	l.deadLetters(group, 0)
}

// rebalances has members join and leave while events flow. An event may come twice then, but never out of order: its key's
// first occurrences are in order, as are those that come again.
func rebalances(l *lab) {
	const keys, each = 6, 40
	typ, group := l.typ("thing.flowing"), l.group("g")
	var got sink
	handler := map[string]event.Handler{typ: got.handle}
	l.consume(group, handler)
	second := l.consume(group, handler)
	for n := range each {
		for k := range keys {
			l.publish(l.event(typ, fmt.Sprint("k", k), n))
		}
		switch n {
		case each / 4:
			l.consume(group, handler)
		case each / 2:
			second.end()
		}
	}
	all := func() bool {
		for k := range keys {
			if firsts(got.byKey(l)[fmt.Sprint("k", k)]) != count(each) {
				return false
			}
		}
		return true
	}
	deadline := time.After(patience)
	for !all() {
		select {
		case <-deadline:
			l.Fatalf("not all came in order: %v", got.byKey(l))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// firsts drops what occurred before.
func firsts(ns string) string {
	seen := map[string]bool{}
	var kept []string
	for _, n := range strings.Fields(ns) {
		if !seen[n] {
			seen[n] = true
			kept = append(kept, n)
		}
	}
	return strings.Join(kept, " ")
}
