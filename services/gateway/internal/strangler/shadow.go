package strangler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
)

// What becomes of a comparison, besides the kinds of differences.
const (
	same    = "same"
	status  = "status"  // one side has it, and the other does not
	failed  = "failed"  // the monolith gave no answer
	dropped = "dropped" // as many comparisons as allowed were under way
	skipped = "skipped" // the new service's answer is an error, or too large to keep
)

// maxCompared is how large an answer may be to be compared.
const maxCompared = 1 << 20

// ShadowOptions tune a Shadow. Every zero value is right for a service.
type ShadowOptions struct {
	Concurrency int           // comparisons under way at once; default 4
	Timeout     time.Duration // of one; default 3s
	Log         *slog.Logger  // default: slog.Default
	Registry    prometheus.Registerer
}

// Shadow asks the monolith what a client has asked the new service, once the client has its answer, and counts in what they differ.
// It never keeps a client waiting: when there is no room for a comparison, it is dropped.
type Shadow struct {
	opt     ShadowOptions
	room    chan struct{}
	results *prometheus.CounterVec

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// NewShadow makes a shadow.
func NewShadow(opt ShadowOptions) (*Shadow, error) {
	if opt.Concurrency == 0 {
		opt.Concurrency = 4
	}
	if opt.Timeout == 0 {
		opt.Timeout = 3 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	s := &Shadow{opt: opt, room: make(chan struct{}, opt.Concurrency), results: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_shadow_total",
		Help: "Answers of a new service compared with the monolith's, by resource and result: same, status, missing, extra, order, next or a " +
			"field for each kind of difference; failed, dropped or skipped where nothing was compared.",
	}, []string{"resource", "result"})}
	if opt.Registry != nil {
		if err := opt.Registry.Register(s.results); err != nil {
			return nil, fmt.Errorf("shadow: metrics: %w", err)
		}
	}
	for _, result := range []string{same, status, failed, dropped, skipped} {
		s.results.WithLabelValues(products, result)
	}
	return s, nil
}

// Close waits for the comparisons under way, and takes no more.
func (s *Shadow) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for comparisons: %w", ctx.Err())
	}
}

// run runs a comparison if there is room for it.
func (s *Shadow) run(ctx context.Context, resource string, compare func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.count(resource, dropped)
		return
	}
	select {
	case s.room <- struct{}{}:
	default:
		s.count(resource, dropped)
		return
	}
	s.running.Go(func() {
		defer func() { <-s.room }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Timeout) // the client's request is over
		defer cancel()
		compare(ctx)
	})
}

func (s *Shadow) count(resource, result string) { s.results.WithLabelValues(resource, result).Inc() }

// watch has an answer compared with the monolith's once it was sent.
func watch[T any](ctx context.Context, s *Shadow, taken *proxy.Answer, q question[T]) {
	found := taken.Status == http.StatusOK
	if !found && taken.Status != http.StatusNotFound {
		s.count(q.resource, skipped)
		return
	}
	taken.Watch(maxCompared, func(body []byte, whole bool) {
		if !whole {
			s.count(q.resource, skipped)
			return
		}
		s.run(ctx, q.resource, func(ctx context.Context) {
			var value T
			if found && json.Unmarshal(body, &value) != nil {
				s.count(q.resource, skipped)
				return
			}
			compare(ctx, s, q, value, found)
		})
	})
}

// compare asks the monolith and counts each kind of difference once. The log says no value: a field may be about a person.
func compare[T any](ctx context.Context, s *Shadow, q question[T], taken T, found bool) {
	old, err := q.ask(ctx)
	absent := errors.Is(err, errAbsent)
	var kinds []string
	switch {
	case err != nil && !absent:
		s.count(q.resource, failed)
		return
	case found == absent:
		kinds = []string{status}
	case found:
		kinds = q.compare(taken, old)
	}
	if len(kinds) == 0 {
		s.count(q.resource, same)
		return
	}
	for _, kind := range kinds {
		s.count(q.resource, kind)
	}
	s.opt.Log.WarnContext(ctx, "the monolith's answer differs", "resource", q.resource, "operation", httpserver.Operation(ctx),
		"kinds", strings.Join(kinds, ","))
}
