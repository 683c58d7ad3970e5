package saga

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// Definition says what a saga does.
type Definition[S any] struct {
	Name  string // lower-case letters, digits and dashes; it is in the database, in keys and metrics
	Steps []Step[S]

	// Done, if not nil, runs in the transaction that marks the saga Completed or Compensated, so that what it writes there (the
	// order's status, an event in the outbox) commits with the outcome, once. It gets the last state and may do nothing
	// beside the database. An error undoes it all, and Done is called again, as often as Options.Insist says.
	Done func(ctx context.Context, tx bun.Tx, id string, state S, outcome State) error
}

// Step is one local transaction, usually a call of another service.
type Step[S any] struct {
	Name string // lower-case letters, digits and dashes

	// Do does the step's work and may change the state. A change is kept when Do returns nil; the next attempt after an error,
	// or after a crash, gets the state as it was before.
	Do func(ctx context.Context, state *S) error

	// Undo makes good what Do did, if it did anything, and may change the state likewise. Nil: there is nothing to make good.
	Undo func(ctx context.Context, state *S) error

	// Pivot is set on the step after which there is no way back. A pivot without Undo whose outcome stays unknown parks the
	// saga: it may have had its effect, so neither way is right.
	Pivot bool

	Timeout time.Duration // of one attempt; default Options.Timeout
	Retry   Retry         // of Do before the pivot; what is not set is as in Options.Retry
}

// Retry bounds the attempts of an action.
type Retry struct {
	Attempts   int           // at most, the first included
	Within     time.Duration // no attempt begins later than this after the saga came to the step; 0: no such limit
	Backoff    time.Duration // the wait after the first attempt, doubled for each further one; a random half of it is left out
	MaxBackoff time.Duration // the longest wait
}

func (r Retry) or(def Retry) Retry {
	if r.Attempts == 0 {
		r.Attempts = def.Attempts
	}
	for d, def := range map[*time.Duration]time.Duration{&r.Within: def.Within, &r.Backoff: def.Backoff, &r.MaxBackoff: def.MaxBackoff} {
		if *d == 0 {
			*d = def
		}
	}
	return r
}

// pause is the wait after so many attempts.
func (r Retry) pause(attempts int) time.Duration {
	longest := min(r.Backoff<<min(attempts-1, 20), r.MaxBackoff)
	return longest/2 + rand.N(longest/2+1) //nolint:gosec // jitter needs no secrecy
}

// allows reports whether another attempt may begin after a pause, elapsed since the first one began.
func (r Retry) allows(attempts int, elapsed, pause time.Duration) bool {
	return attempts < r.Attempts && (r.Within == 0 || elapsed+pause <= r.Within)
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

func (d Definition[S]) validate() error {
	if !validName.MatchString(d.Name) {
		return errors.New("its name must be of lower-case letters, digits and dashes")
	}
	if len(d.Steps) == 0 {
		return errors.New("it has no steps")
	}
	for i, step := range d.Steps {
		switch {
		case !validName.MatchString(step.Name):
			return fmt.Errorf("step %d: its name %q must be of lower-case letters, digits and dashes", i+1, step.Name)
		case d.find(step.Name) != i:
			return fmt.Errorf("step %d: there is another one called %s", i+1, step.Name)
		case step.Do == nil:
			return fmt.Errorf("step %s: it has no Do", step.Name)
		case step.Retry.Attempts < 0 || step.Timeout < 0:
			return fmt.Errorf("step %s: attempts and timeout cannot be negative", step.Name)
		}
	}
	return nil
}

// find gives the position of a step, -1 when there is none of this name.
func (d Definition[S]) find(name string) int {
	return slices.IndexFunc(d.Steps, func(s Step[S]) bool { return s.Name == name })
}

// after gives the name of the step after that at position i, "" after the last.
func (d Definition[S]) after(i int) string {
	if i+1 < len(d.Steps) {
		return d.Steps[i+1].Name
	}
	return ""
}
