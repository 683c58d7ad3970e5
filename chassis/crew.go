package chassis

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// runner is something that runs until its context ends.
type runner interface {
	Run(context.Context) error
}

// crew owns goroutines that begin together and stop together.
type crew struct {
	failed chan<- error
	ctx    context.Context //nolint:containedctx // the lifetime of the goroutines, which outlives every call
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu      sync.Mutex
	begun   bool
	waiting []func()
	running map[string]int
	errs    []error
}

func (s *Service) crew() *crew {
	ctx, cancel := context.WithCancel(context.Background())
	return &crew{failed: s.failed, ctx: ctx, cancel: cancel, running: map[string]int{}}
}

// Go runs fn as soon as the crew has begun.
func (c *crew) Go(name string, fn func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return // it stopped already; there is nothing to begin any more
	}
	c.running[name]++
	c.wait.Add(1)
	work := func() {
		defer c.wait.Done()
		c.finish(name, call(c.ctx, name, fn))
	}
	if !c.begun {
		c.waiting = append(c.waiting, work)
		return
	}
	go work()
}

// begin lets the crew run.
func (c *crew) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun = true
	for _, work := range c.waiting {
		go work()
	}
	c.waiting = nil
}

// stop ends the crew's context and waits for its goroutines; when ctx ends first, it names those that are left.
func (c *crew) stop(ctx context.Context) error {
	c.mu.Lock()
	c.cancel()
	for range c.waiting {
		c.wait.Done() // it never ran and never will
	}
	c.waiting = nil
	c.mu.Unlock()

	done := make(chan struct{})
	go func() {
		c.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		if left := c.left(); len(left) > 0 {
			return fmt.Errorf("%s did not stop in time: %w", strings.Join(left, ", "), ctx.Err())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.errs...)
}

func (c *crew) left() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, n := range c.running {
		if n > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// finish takes a goroutine's end: an error stops the service or, when it is stopping, is given by stop.
func (c *crew) finish(name string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[name]--
	switch {
	case err == nil:
	case c.ctx.Err() == nil:
		select {
		case c.failed <- err:
		default: // the service is stopping because of an earlier one
		}
	case !errors.Is(err, context.Canceled):
		c.errs = append(c.errs, err)
	}
}

// call runs fn and makes an error of its panic, since a panic in a goroutine would end the process without any order.
func call(ctx context.Context, name string, fn func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{value: p, stack: debug.Stack()}
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	return fn(ctx)
}

// panicked is a panic as an error; its stack is for the log.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// stackOf gives the stack of the panic behind err, if there was one.
func stackOf(err error) string {
	var p *panicked
	if errors.As(err, &p) {
		return string(p.stack)
	}
	return ""
}
