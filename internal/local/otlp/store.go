package otlp

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// store keeps the last traces, each with a bounded number of spans. Safe for concurrent use.
type store struct {
	mu        sync.Mutex
	maxTraces int
	maxSpans  int
	traces    map[string]*entry
	order     []string      // trace ids, the oldest first
	changed   chan struct{} // closed and replaced at each change
}

type entry struct {
	spans map[string]Span // by span id: an exporter may send a batch twice
}

func newStore(traces, spans int) *store {
	return &store{maxTraces: traces, maxSpans: spans, traces: make(map[string]*entry), changed: make(chan struct{})}
}

// add files the spans under their trace ids, and drops the oldest traces that exceed the limit.
func (st *store) add(spans map[string][]Span) {
	if len(spans) == 0 {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for id, list := range spans {
		e := st.traces[id]
		if e == nil {
			e = &entry{spans: make(map[string]Span, len(list))}
			st.traces[id] = e
			st.order = append(st.order, id)
		}
		for _, s := range list {
			if _, known := e.spans[s.ID]; known || len(e.spans) < st.maxSpans {
				e.spans[s.ID] = s
			}
		}
	}
	if over := len(st.order) - st.maxTraces; over > 0 {
		for _, id := range st.order[:over] {
			delete(st.traces, id)
		}
		st.order = slices.Delete(st.order, 0, over)
	}
	close(st.changed)
	st.changed = make(chan struct{})
}

func (st *store) trace(id string) (Trace, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.snapshot(id)
}

// list returns the newest traces first, those with a span of service when it is not empty; limit 0 means all.
func (st *store) list(service string, limit int) []Trace {
	st.mu.Lock()
	defer st.mu.Unlock()
	var out []Trace
	for _, id := range slices.Backward(st.order) {
		if limit > 0 && len(out) == limit {
			break
		}
		if t, _ := st.snapshot(id); service == "" || t.Service(service) {
			out = append(out, t)
		}
	}
	return out
}

func (st *store) wait(ctx context.Context, want func(Trace) bool) (Trace, error) {
	for {
		st.mu.Lock()
		changed := st.changed
		st.mu.Unlock()
		for _, t := range st.list("", 0) {
			if want(t) {
				return t, nil
			}
		}
		select {
		case <-ctx.Done():
			return Trace{}, fmt.Errorf("wait for a trace: %w", ctx.Err())
		case <-changed:
		}
	}
}

// snapshot copies a trace; st.mu must be held.
func (st *store) snapshot(id string) (Trace, bool) {
	e := st.traces[id]
	if e == nil {
		return Trace{}, false
	}
	t := Trace{ID: id, Spans: make([]Span, 0, len(e.spans))}
	for _, s := range e.spans {
		t.Spans = append(t.Spans, s)
	}
	slices.SortFunc(t.Spans, byStart)
	return t, true
}
