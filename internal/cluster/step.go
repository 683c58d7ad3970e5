package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// step is one part of bringing a platform up. It can be run again, and then does what is left.
type step struct {
	name  string
	limit time.Duration
	// run gives what was done, in a few words.
	run func(ctx context.Context, say sayer) (string, error)
}

// sayer tells what a step is doing just now.
type sayer func(format string, args ...any)

// StepReport is a step that was done.
type StepReport struct {
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
	Done    string  `json:"done"`
}

// steps runs steps one after the other and shows them: a line for each that is done and, on a terminal, one for what goes on.
type steps struct {
	mu          sync.Mutex
	out         io.Writer
	tty, colour bool
	shown       bool // a line of progress is on the screen
	done        []StepReport
}

func newSteps(out io.Writer, tty, colour bool) *steps {
	return &steps{out: out, tty: tty, colour: colour}
}

// tick is how often a terminal is told that a step still runs, and quiet how often anything else is.
const (
	tick  = 250 * time.Millisecond
	quiet = 30 * time.Second
)

func (s *steps) run(ctx context.Context, st step) error {
	bounded, cancel := context.WithTimeoutCause(ctx, st.limit, fmt.Errorf("it took longer than %s", st.limit))
	defer cancel()
	began := time.Now()
	var doing string
	say := func(format string, args ...any) {
		s.mu.Lock()
		doing = fmt.Sprintf(format, args...)
		s.mu.Unlock()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		every := quiet
		if s.tty {
			every = tick
		}
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				s.mu.Lock()
				s.progress(st.name, time.Since(began), doing)
				s.mu.Unlock()
			}
		}
	}()
	if s.tty {
		s.mu.Lock()
		s.progress(st.name, 0, "")
		s.mu.Unlock()
	}
	what, err := st.run(bounded, say)
	close(stop)
	<-stopped
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	took := time.Since(began)
	if err != nil {
		_, _ = fmt.Fprintf(s.out, "%s %-9s %7s\n", s.paint("31", "failed"), st.name, round(took))
		if cause := context.Cause(bounded); cause != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return fmt.Errorf("%s: %w", st.name, err)
	}
	s.done = append(s.done, StepReport{st.name, took.Seconds(), what})
	_, _ = fmt.Fprintf(s.out, "%s %-9s %7s  %s\n", s.paint("32", "done  "), st.name, round(took), what)
	return nil
}

func (s *steps) progress(name string, took time.Duration, doing string) {
	line := fmt.Sprintf("       %-9s %7s  %s", name, round(took), doing)
	if !s.tty {
		_, _ = fmt.Fprintln(s.out, line)
		return
	}
	const widest = 100
	if runes := []rune(line); len(runes) > widest {
		line = string(runes[:widest-1]) + "…"
	}
	_, _ = io.WriteString(s.out, "\r\x1b[K"+line)
	s.shown = true
}

func (s *steps) clear() {
	if s.shown {
		_, _ = io.WriteString(s.out, "\r\x1b[K")
		s.shown = false
	}
}

func (s *steps) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func round(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
}

// until calls fn again and again until it is content or ctx ends; what fn last complained of is then the error.
func until(ctx context.Context, pause time.Duration, fn func(context.Context) error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		err := fn(ctx)
		var final *finalError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return final.error
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-timer.C:
		}
	}
}

// finalError is one that waiting does not mend.
type finalError struct{ error }

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}
