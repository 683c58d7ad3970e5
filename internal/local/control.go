package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/trellis-mesh/trellis/internal/local/mail"
	"github.com/trellis-mesh/trellis/internal/local/otlp"
)

// Service says where a service listens; the zero value when it is not part of the platform.
func (p *Platform) Service(name string) Service {
	if proc := p.procs[name]; proc != nil {
		return proc.Service
	}
	return Service{}
}

// Traces is the receiver of all the services' traces.
func (p *Platform) Traces() *otlp.Sink { return p.host.sink }

// Mail is the receiver of all the services' mails; nil when no service sends any.
func (p *Platform) Mail() *mail.Sink { return p.host.mail }

// Brokers are the Kafka brokers' addresses; none when no service has events.
func (p *Platform) Brokers() []string { return slices.Clone(p.host.brokers) }

// Redis is the URL of the Redis server; empty when no service has a cache.
func (p *Platform) Redis() string { return p.host.redis }

// PID is the process id of a service's last run, 0 when there is none.
func (p *Platform) PID(name string) int {
	r, err := p.lastRun(name)
	if err != nil {
		return 0
	}
	return r.cmd.Process.Pid
}

// Kill sends a signal to a service and its children. After SIGKILL it waits for the end. That the service ends is not counted
// as a failure, and nothing starts it again but Restart.
func (p *Platform) Kill(name string, sig syscall.Signal) error {
	r, err := p.lastRun(name)
	if err != nil {
		return err
	}
	if err := r.signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		<-r.done
	}
	return nil
}

// WaitExit waits until the service's process has ended.
func (p *Platform) WaitExit(ctx context.Context, name string) error {
	r, err := p.lastRun(name)
	if err != nil {
		return err
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", name, ctx.Err())
	}
}

// Restart stops a service if it runs, starts the same program on the same ports, and waits until it is ready.
func (p *Platform) Restart(ctx context.Context, name string) error {
	p.life.Lock()
	defer p.life.Unlock()
	if p.stopped {
		return errors.New("restart " + name + ": the platform has stopped")
	}
	r, err := p.lastRun(name)
	if err != nil {
		return err
	}
	if !r.ended() {
		r.stop(ctx, p.options.StopTimeout)
	}
	if err := p.procs[name].start(p.spawn); err != nil {
		return err
	}
	if err := p.procs[name].last().waitReady(ctx, p.options.ReadyTimeout); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failures, name)
	return nil
}

func (p *Platform) lastRun(name string) (*run, error) {
	proc := p.procs[name]
	if proc == nil {
		return nil, fmt.Errorf("no service %q on this platform: it runs %s", name, strings.Join(p.order, ", "))
	}
	r := proc.last()
	if r == nil {
		return nil, fmt.Errorf("%s: %w", name, errNotRunning)
	}
	return r, nil
}

// Wait blocks until ctx ends or no service runs any more. The error, if any, names the services that exited by themselves or
// never became ready.
func (p *Platform) Wait(ctx context.Context) error {
	for {
		r := p.running()
		if r == nil {
			return errors.Join(p.Err(), errors.New("no service is running any more"))
		}
		select {
		case <-ctx.Done():
			return p.Err()
		case <-r.done:
		}
	}
}

func (p *Platform) running() *run {
	for _, name := range p.order {
		if r := p.procs[name].last(); r != nil && !r.ended() {
			return r
		}
	}
	return nil
}

// Err names the services that exited by themselves or never became ready; nil when there are none.
func (p *Platform) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var said []string
	for _, name := range slices.Sorted(maps.Keys(p.failures)) {
		said = append(said, name+" "+p.failures[name].Error())
	}
	if said == nil {
		return nil
	}
	return errors.New(strings.Join(said, ", "))
}

// Report writes text among the logs without breaking a line of them.
func (p *Platform) Report(text string) { p.console.report("%s", text) }

// Stop ends the services, callers before callees, each with SIGTERM and, when it takes too long or ctx ends, with SIGKILL; then all
// that this process hosted. The error names the services that had to be killed. A second Stop does nothing.
func (p *Platform) Stop(ctx context.Context) error {
	p.life.Lock()
	defer p.life.Unlock()
	if p.stopped {
		return nil
	}
	p.stopped = true
	left := newRoll(p.order)
	killed := newRoll(nil)
	p.console.show("stopping %s", left)
	for _, wave := range waves(p.services) {
		var wg sync.WaitGroup
		for _, name := range wave {
			wg.Go(func() {
				r, err := p.lastRun(name)
				if err == nil && !r.ended() && r.stop(ctx, p.options.StopTimeout) {
					killed.add(name)
				}
				left.strike(name)
				p.console.show("stopping %s", left)
			})
		}
		wg.Wait()
	}
	p.console.show("")
	for _, name := range p.watchers.stop(ctx, p.options.StopTimeout) {
		killed.add(name)
	}
	if p.host != nil {
		p.host.close()
	}
	p.spawn.close()
	p.release()
	if names := killed.String(); names != "" {
		return fmt.Errorf("%s did not stop within %s and had to be killed", names, p.options.StopTimeout)
	}
	return nil
}
