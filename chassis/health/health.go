package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Check asks a dependency whether it works. It should return when the context ends; one that does not is reported as
// down and not asked again until it has returned.
type Check func(context.Context) error

// The words for a status.
const (
	Up   = "UP"
	Down = "DOWN"
)

// Options bound the checks. The zero value is ready to use.
type Options struct {
	// Timeout bounds each check; 1 s when 0.
	Timeout time.Duration
	// TTL is how long a result is used again; 1 s when 0, not at all when negative.
	TTL time.Duration
	// Log is told when a check changes its status, and why; nobody when nil.
	Log *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Set is the checks of one program. It is safe for concurrent use.
type Set struct {
	opt      Options
	draining atomic.Bool

	mu     sync.Mutex
	checks []*dependency
	last   Report
	until  time.Time     // last is used before it
	asking chan struct{} // closed when the round of checks under way ends; nil when there is none
}

// dependency is one check with its state, which is guarded by the set's mutex.
type dependency struct {
	name    string
	check   Check
	running bool // a call has not returned yet, perhaps since an earlier round
	result  Result
}

// Report is the state of a program.
type Report struct {
	Status string            `json:"status"`
	Checks map[string]Result `json:"checks,omitempty"`
}

// Result is the state of one dependency.
type Result struct {
	Status string `json:"status"`
	// Reason says coarsely why a dependency is down. The error itself, which may name hosts and users, is only logged.
	Reason string `json:"reason,omitempty"`
}

// The reasons for a dependency being down.
const (
	ReasonFailed   = "failed"
	ReasonTimeout  = "timeout"
	ReasonStuck    = "stuck"
	ReasonDraining = "draining"
)

// New makes a set without checks, which is ready.
func New(opt Options) *Set {
	if opt.Timeout <= 0 {
		opt.Timeout = time.Second
	}
	if opt.TTL == 0 {
		opt.TTL = time.Second
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Set{opt: opt}
}

// Add adds the check of a dependency. A name that is there already is replaced.
func (s *Set) Add(name string, check Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Time{}
	added := &dependency{name: name, check: check, result: Result{Status: Up}}
	for i, d := range s.checks {
		if d.name == name {
			s.checks[i] = added
			return
		}
	}
	s.checks = append(s.checks, added)
	slices.SortFunc(s.checks, func(a, b *dependency) int { return strings.Compare(a.name, b.name) })
}

// SetDraining makes the program not ready for good, without asking anyone: it is about to stop.
func (s *Set) SetDraining() { s.draining.Store(true) }

// Draining reports whether SetDraining was called.
func (s *Set) Draining() bool { return s.draining.Load() }

// Report gives the state of all dependencies, at most TTL old. However many ask, the checks run once, all at the same
// time, and within Timeout. When ctx ends first, the report says so.
func (s *Set) Report(ctx context.Context) Report {
	if s.Draining() {
		return Report{Status: Down, Checks: map[string]Result{"service": {Status: Down, Reason: ReasonDraining}}}
	}
	s.mu.Lock()
	if s.opt.Now().Before(s.until) {
		defer s.mu.Unlock()
		return s.last
	}
	round := s.asking
	if round == nil {
		round = make(chan struct{})
		s.asking = round
		go s.ask(round) //nolint:gosec // a round is for all who ask, so it outlives the one who began it
	}
	s.mu.Unlock()
	select {
	case <-round:
	case <-ctx.Done():
		return Report{Status: Down, Checks: map[string]Result{"service": {Status: Down, Reason: ReasonTimeout}}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// ask runs a round of checks. It ends within Timeout whatever the checks do.
func (s *Set) ask(round chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), s.opt.Timeout)
	defer cancel()
	s.mu.Lock()
	asked := append([]*dependency(nil), s.checks...)
	s.mu.Unlock()

	var answers sync.WaitGroup
	for _, d := range asked {
		answers.Go(func() { s.askOne(ctx, d) })
	}
	answers.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = report(asked)
	s.asking = nil
	s.until = time.Time{}
	if slices.Equal(asked, s.checks) { // a check that was added meanwhile has not been asked
		s.until = s.opt.Now().Add(s.opt.TTL)
	}
	close(round)
}

// askOne waits for one check or the time limit.
func (s *Set) askOne(ctx context.Context, d *dependency) {
	s.mu.Lock()
	stuck := d.running
	d.running = true
	s.mu.Unlock()
	if stuck {
		s.record(d, errStuck)
		return
	}
	answer := make(chan error, 1)
	go func() {
		err := call(ctx, d.check)
		s.mu.Lock()
		d.running = false
		s.mu.Unlock()
		answer <- err
	}()
	select {
	case err := <-answer:
		s.record(d, err)
	case <-ctx.Done():
		s.record(d, ctx.Err())
	}
}

var errStuck = errors.New("the last check has not returned yet")

// call runs a check; its panic is its failure.
func call(ctx context.Context, check Check) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("the check panicked: %v", panicked)
		}
	}()
	return check(ctx)
}

func (s *Set) record(d *dependency, err error) {
	result := Result{Status: Up}
	if err != nil {
		result = Result{Status: Down, Reason: reason(err)}
	}
	s.mu.Lock()
	changed := d.result != result
	d.result = result
	s.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		s.opt.Log.Warn("dependency down", slog.String("dependency", d.name), slog.String("reason", result.Reason), slog.Any("error", err))
	default:
		s.opt.Log.Info("dependency up", slog.String("dependency", d.name))
	}
}

func reason(err error) string {
	switch {
	case errors.Is(err, errStuck):
		return ReasonStuck
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	}
	return ReasonFailed
}

func report(asked []*dependency) Report {
	r := Report{Status: Up, Checks: make(map[string]Result, len(asked))}
	for _, d := range asked {
		r.Checks[d.name] = d.result
		if d.result.Status != Up {
			r.Status = Down
		}
	}
	return r
}
