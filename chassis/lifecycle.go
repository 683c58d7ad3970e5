package chassis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// start binds the ports, wires the service and lets it run. The ports come first: a port that is taken should be found out
// before the database is migrated. They are served last, so nobody sees half a service.
func (s *Service) start(ctx context.Context, wire Wire, migrateOnly bool) error {
	if !migrateOnly {
		if err := errors.Join(s.api.Listen(ctx), s.admin.Listen(ctx)); err != nil {
			return err
		}
	}
	if err := wire(ctx, s); err != nil {
		return err
	}
	if err := errors.Join(s.faults...); err != nil {
		return err
	}
	if err := s.settings.source.Unclaimed(); err != nil {
		return err
	}
	if migrateOnly {
		return nil
	}
	if err := s.buildVerifier(); err != nil {
		return err
	}
	if err := s.buildConsumer(); err != nil {
		return err
	}
	s.servers.Go("admin server", s.admin.Serve)
	s.servers.Go("API server", s.api.Serve)
	for _, c := range []*crew{s.servers, s.relays, s.workers, s.consumers} {
		c.begin()
	}
	return nil
}

// untilStopped waits for a reason to stop and stops. Its error is that of the work that failed, be it the reason or
// something that came meanwhile, and whatever went wrong with the stop.
func (s *Service) untilStopped(ctx context.Context) error {
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-s.failed:
		s.Log().ErrorContext(ctx, "stopping: its work failed", "error", failure, "stack", stackOf(failure))
	}
	err := s.stop(context.WithoutCancel(ctx))
	select {
	case late := <-s.failed:
		failure = errors.Join(failure, late)
	default:
	}
	return errors.Join(failure, err)
}

// step is one step of the ordered stop.
type step struct {
	name string
	run  func(context.Context) error
	last bool // may use the time that is kept for the end
}

// stop ends the service in order, within shutdown.timeout as a whole. A fifth of what shutdown.delay leaves of it is kept for
// the end: a request that hangs must cost neither the spans of the others nor the events that they committed. A step that
// fails does not keep the next ones from being taken.
func (s *Service) stop(ctx context.Context) error {
	limit := s.settings.Shutdown.Timeout
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	early, cancelEarly := context.WithTimeout(ctx, limit-s.timeToStop()/5)
	defer cancelEarly()

	var errs []error
	for _, step := range s.steps() {
		stepCtx, begun := early, time.Now()
		if step.last {
			stepCtx = ctx
		}
		err := step.run(stepCtx)
		if err != nil {
			err = fmt.Errorf("%s: %w", step.name, err)
			errs = append(errs, err)
			s.Log().ErrorContext(ctx, "stopping", "step", step.name, "took", time.Since(begun).String(), "error", err)
			continue
		}
		s.Log().InfoContext(ctx, "stopping", "step", step.name, "took", time.Since(begun).String())
	}
	return errors.Join(errs...)
}

// timeToStop is what the delay leaves of the whole stop. Of it, consumers get at most two fifths, and the outbox a tenth.
func (s *Service) timeToStop() time.Duration {
	return s.settings.Shutdown.Timeout - s.settings.Shutdown.Delay
}

// steps is the order. Whoever gives work stops before whoever takes it: endpoints, consumers, requests, workers, relays.
func (s *Service) steps() []step {
	return []step{
		{name: "say not ready", run: s.sayNotReady},
		{name: "wait for endpoints to notice", run: s.waitForEndpoints},
		{name: "stop consumers", run: s.consumers.stop},
		{name: "drain HTTP", run: s.api.Shutdown},
		{name: "stop workers", run: s.workers.stop},
		{name: "flush the outbox", run: s.relays.stop, last: true},
		{name: "run stop hooks", run: s.runHooks, last: true},
		{name: "flush telemetry", run: s.flushTelemetry, last: true},
		{name: "close pools", run: s.closePools, last: true},
		{name: "close the admin server", run: s.closeAdmin, last: true},
	}
}

func (s *Service) sayNotReady(context.Context) error {
	s.health.SetDraining()
	s.api.Drain()
	return nil
}

// waitForEndpoints goes on answering while load balancers learn that the service is not ready any more.
func (s *Service) waitForEndpoints(ctx context.Context) error {
	timer := time.NewTimer(s.settings.Shutdown.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) runHooks(ctx context.Context) error {
	s.mu.Lock()
	hooks := slices.Clone(s.hooks)
	s.mu.Unlock()
	return runReversed(ctx, hooks)
}

// flushTelemetry exports the last spans. A collector that is away is worth a warning, not an exit code that alarms someone.
func (s *Service) flushTelemetry(ctx context.Context) error {
	if err := s.tel.Shutdown(ctx); err != nil {
		s.Log().WarnContext(ctx, "spans were lost", "error", err)
	}
	return nil
}

func (s *Service) closePools(ctx context.Context) error {
	s.mu.Lock()
	pools := slices.Clone(s.pools)
	s.mu.Unlock()
	return runReversed(ctx, pools)
}

// runReversed calls all hooks, the last one first, since what was built last may use what was built before.
func runReversed(ctx context.Context, hooks []hook) error {
	var errs []error
	for _, h := range slices.Backward(hooks) {
		errs = append(errs, call(ctx, h.name, h.run))
	}
	return errors.Join(errs...)
}

// closeAdmin ends the listener that told how the stop was going.
func (s *Service) closeAdmin(ctx context.Context) error {
	return errors.Join(s.admin.Shutdown(ctx), s.servers.stop(ctx))
}

// abandon gives up what a service that never ran holds.
func (s *Service) abandon() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.settings.Shutdown.Timeout)
	defer cancel()
	var errs []error
	for _, c := range []*crew{s.consumers, s.workers, s.relays} {
		errs = append(errs, c.stop(ctx))
	}
	errs = append(errs, s.runHooks(ctx), s.flushTelemetry(ctx), s.closePools(ctx))
	if s.api != nil {
		errs = append(errs, s.api.Shutdown(ctx))
	}
	if s.admin != nil {
		errs = append(errs, s.closeAdmin(ctx))
	}
	return errors.Join(errs...)
}
