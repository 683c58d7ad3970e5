package health

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Check asks a dependency whether it works. It must return when the context ends.
type Check func(context.Context) error

// Options bound the checks. The zero value is ready to use.
type Options struct {
	// Timeout bounds each check; 1 s when 0.
	Timeout time.Duration
	// TTL is how long an answer is used again; 1 s when 0, not at all when negative.
	TTL time.Duration
	// Log is told when a check changes its status; nobody when nil.
	Log *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Set is the checks of one program.
type Set struct {
	opt      Options
	draining atomic.Bool

	mu     sync.Mutex
	checks []*dependency
}
type dependency struct {
	name  string
	check Check
}

// New makes a set without checks, which is ready.
func New(opt Options) *Set { return &Set{opt: opt} }

// Add adds the check of a dependency. A name that is there already is replaced.
func (s *Set) Add(name string, check Check) {}

// SetDraining makes the program not ready for good, without asking anyone.
func (s *Set) SetDraining() { s.draining.Store(true) }

// Draining reports whether SetDraining was called.
func (s *Set) Draining() bool { return s.draining.Load() }

// Live answers 200 as long as the program can answer at all.
func (s *Set) Live() http.Handler { return http.NotFoundHandler() }

// Ready answers 200 when every check succeeds, else 503.
func (s *Set) Ready() http.Handler { return http.NotFoundHandler() }

// Report runs the checks whose last answer is too old.
func (s *Set) Report(ctx context.Context) Report { return Report{} }

// Report is the state of a program.
type Report struct {
	Status string            `json:"status"`
	Checks map[string]Result `json:"checks"`
}

// Result is the state of one dependency.
type Result struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}
