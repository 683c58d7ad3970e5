package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/internal/lease"
)

// writeTimeout bounds a write of the log, which is made even when the work was cut off: its effects are there.
const writeTimeout = 5 * time.Second

var (
	errDied    = errors.New("the process that tried it last died or was cut off from the database before the outcome was known")
	errUnknown = errors.New("the definition has no such step, or nothing to undo it: run a version that has, then resume the saga")
)

// Run carries out sagas until ctx ends; any number of processes may run it at once. A step that is under way then goes on for
// at most Drain; the saga is left to another process. Run also keeps the metrics and deletes finished sagas after Retention.
// While the database is away it tries again and again.
func (s *Saga[S]) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	failed := func(err error) { s.opt.Log.Warn("the table of sagas cannot be looked after", "error", err) }
	group.Go(func() { lease.Every(ctx, statsInterval, s.measure, failed) })
	group.Go(func() { lease.Every(ctx, cleanInterval, s.clean, failed) })
	return s.queue.Run(ctx, s.work)
}

// work carries a saga on until it is finished, has to wait, or Run is to stop.
func (s *Saga[S]) work(ctx context.Context, c *lease.Claim) error {
	var r row
	err := s.db.NewSelect().Model(&r).Where("name = ?", s.def.Name).Where("id = ?", c.ID).Where("fence = ?", c.Fence).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return lease.ErrLost
	}
	if err != nil {
		return fmt.Errorf("read the saga: %w", err)
	}
	ctx = r.Origin.Context(ctx)
	for {
		next, err := s.turn(ctx, c, &r)
		if err != nil || next != lease.Keep() {
			return err
		}
	}
}

// turn makes one attempt at what the saga is at, and writes down what became of it.
func (s *Saga[S]) turn(ctx context.Context, c *lease.Claim, r *row) (lease.Next, error) {
	e := entry{Name: r.Name, ID: r.ID, Step: r.Step, Action: r.action(), Attempt: r.Attempts}
	if r.action() == actionDone {
		return s.finish(ctx, c, r, e)
	}
	err := errDied // unless an attempt is left
	if r.Attempts <= s.retry(r).Attempts {
		err = s.attempt(ctx, r)
	}
	if err != nil && ctx.Err() != nil {
		return s.interrupted(ctx, c, r)
	}
	next := s.settle(ctx, c, r, err)
	return next, s.write(ctx, c, r, e, err, next, nil)
}

// attempt calls the action that the row is at. The row's data change only when it succeeds.
func (s *Saga[S]) attempt(ctx context.Context, r *row) error {
	i := s.def.find(r.Step)
	if i < 0 {
		return misfit(errUnknown)
	}
	step := s.def.Steps[i]
	do := step.Do
	if r.action() == actionUndo {
		do = step.Undo
	}
	if do == nil {
		return misfit(errUnknown)
	}
	var state S
	if err := json.Unmarshal([]byte(r.Data), &state); err != nil {
		return misfit(fmt.Errorf("the stored state does not fit the definition: %w", err))
	}
	ctx = context.WithValue(ctx, keyKey{}, keyOf{r.Name, r.ID, r.Step, r.action()})
	timeout := s.opt.Timeout
	if step.Timeout > 0 {
		timeout = step.Timeout
	}
	err := s.measured(ctx, r, timeout, func(ctx context.Context) error { return do(ctx, &state) })
	if err != nil {
		return err
	}
	data, err := json.Marshal(state)
	if err != nil {
		return Permanent(fmt.Errorf("the step's state cannot be stored: %w", err))
	}
	r.Data = string(data)
	return nil
}

// measured calls fn with a time limit and in a span; a panic is an error, and nobody knows what it left behind.
func (s *Saga[S]) measured(ctx context.Context, r *row, timeout time.Duration, fn func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, causeKey{}, r.Cause), timeout)
	defer cancel()
	name := r.action()
	if r.Step != "" {
		name += " " + r.Step
	}
	ctx, span := s.tracer.Start(ctx, "saga "+r.Name+": "+name, trace.WithAttributes(
		attribute.String("saga.name", r.Name), attribute.String("saga.id", r.ID), attribute.String("saga.step", r.Step),
		attribute.String("saga.action", r.action()), attribute.Int("saga.attempt", r.Attempts),
	))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			s.opt.Log.ErrorContext(ctx, "a step panicked", "id", r.ID, "step", r.Step, "panic", p, "stack", string(debug.Stack()))
		}
		if err != nil {
			span.SetStatus(codes.Error, shorten(err))
		}
		span.End()
	}()
	return fn(ctx)
}

// retry is how often the action that the row is at may be tried.
func (s *Saga[S]) retry(r *row) Retry {
	i := s.def.find(r.Step)
	if r.action() != actionDo || i < 0 || s.beyondPivot(r) {
		return s.opt.Insist
	}
	return s.def.Steps[i].Retry.or(s.opt.Retry)
}

func (s *Saga[S]) beyondPivot(r *row) bool {
	for _, name := range r.Done {
		if i := s.def.find(name); i >= 0 && s.def.Steps[i].Pivot {
			return true
		}
	}
	return false
}

// settle decides where the saga goes after an attempt that ended with err.
func (s *Saga[S]) settle(ctx context.Context, c *lease.Claim, r *row, err error) lease.Next {
	if err == nil {
		s.advance(r)
		return s.goOn(c, r)
	}
	r.LastError = shorten(err)
	v := verdictOf(err)
	if v.harmless {
		r.Harmless++
	}
	s.metrics.failures.WithLabelValues(r.Name, r.Step, r.action(), kindOf(v)).Inc()
	retry := s.retry(r)
	pause := retry.pause(r.Attempts)
	if !v.permanent && retry.allows(r.Attempts, s.opt.Now().Sub(r.Since), pause) {
		s.opt.Log.WarnContext(ctx, "a step of a saga failed and is tried again", "id", r.ID, "step", r.Step, "action", r.action(),
			"attempt", r.Attempts, "next", pause.String(), "error", err)
		return lease.After(pause)
	}
	if r.State == Running && !v.misfit && s.canTurn(r) {
		s.opt.Log.WarnContext(ctx, "a step of a saga failed; it is compensated", "id", r.ID, "step", r.Step, "attempts", r.Attempts, "error", err)
		s.turnBack(r)
		return s.goOn(c, r)
	}
	return s.park(ctx, r, err)
}

// park leaves the saga to a person.
func (s *Saga[S]) park(ctx context.Context, r *row, err error) lease.Next {
	s.opt.Log.ErrorContext(ctx, "a saga is parked: it can go neither on nor back by itself; mend the cause and resume it, "+
		"or do by hand what the step should have done and skip it",
		"id", r.ID, "state", r.State, "step", r.Step, "action", r.action(), "attempts", r.Attempts, "error", err)
	r.State, r.Resumes = Parked, r.State
	return lease.Retire()
}

// goOn keeps the saga, and with that begins the first attempt at its next step, unless Run is to stop.
func (s *Saga[S]) goOn(c *lease.Claim, r *row) lease.Next {
	if c.Stopping() {
		return lease.After(0) // the next claim begins the attempt
	}
	r.Attempts = 1
	return lease.Keep()
}

// advance moves on from the step that the row is at, which is done, or undone when the saga compensates.
func (s *Saga[S]) advance(r *row) {
	if r.State == Compensating {
		s.stepBack(r)
		return
	}
	r.Done = append(r.Done, r.Step)
	r.moveTo(s.def.after(s.def.find(r.Step)), s.opt.Now().UTC())
}

// canTurn reports whether the saga may compensate when the step that it is at cannot be done.
func (s *Saga[S]) canTurn(r *row) bool {
	if s.beyondPivot(r) {
		return false
	}
	i := s.def.find(r.Step)
	return i >= 0 && (!r.inDoubt() || !s.def.Steps[i].Pivot || s.def.Steps[i].Undo != nil)
}

// turnBack begins the compensation, with the step itself when it may have had its effect.
func (s *Saga[S]) turnBack(r *row) {
	r.State, r.Cause = Compensating, r.LastError
	if step := s.def.Steps[s.def.find(r.Step)]; r.inDoubt() && step.Undo != nil {
		r.moveTo(r.Step, s.opt.Now().UTC())
		return
	}
	s.stepBack(r)
}

// stepBack comes to the last step that was done and has an Undo; to the end when there is none. A step that the definition does
// not know any more is not passed over.
func (s *Saga[S]) stepBack(r *row) {
	for n := len(r.Done); n > 0; n = len(r.Done) {
		last := r.Done[n-1]
		r.Done = r.Done[:n-1]
		if i := s.def.find(last); i < 0 || s.def.Steps[i].Undo != nil {
			r.moveTo(last, s.opt.Now().UTC())
			return
		}
	}
	r.moveTo("", s.opt.Now().UTC())
}

// finish ends the saga together with what Done writes.
func (s *Saga[S]) finish(ctx context.Context, c *lease.Claim, r *row, e entry) (lease.Next, error) {
	ended := *r
	ended.State, ended.FinishedAt = Completed, s.opt.Now().UTC()
	if r.State == Compensating {
		ended.State = Compensated
	}
	var refusal error // of Done or its state, not of the database or the lease
	err := errDied
	if r.Attempts <= s.opt.Insist.Attempts {
		err = s.measured(ctx, r, s.opt.Timeout, func(ctx context.Context) error {
			return s.write(ctx, c, &ended, e, nil, lease.Retire(), func(ctx context.Context, tx bun.Tx) error {
				refusal = s.callDone(ctx, tx, &ended)
				return refusal
			})
		})
	} else {
		refusal = errDied
	}
	switch {
	case err == nil:
		s.metrics.duration.WithLabelValues(r.Name, string(ended.State)).Observe(ended.FinishedAt.Sub(r.CreatedAt).Seconds())
		s.opt.Log.InfoContext(ctx, "a saga has ended", "id", r.ID, "state", ended.State, "cause", r.Cause)
		return lease.Retire(), nil
	case ctx.Err() != nil:
		return s.interrupted(ctx, c, r)
	case errors.Is(err, lease.ErrLost):
		return lease.Next{}, err
	case refusal == nil: // a panic, or a commit that failed
		refusal = err
	}
	next := s.settle(ctx, c, r, refusal)
	return next, s.write(ctx, c, r, e, refusal, next, nil)
}

func (s *Saga[S]) callDone(ctx context.Context, tx bun.Tx, r *row) error {
	if s.def.Done == nil {
		return nil
	}
	var state S
	if err := json.Unmarshal([]byte(r.Data), &state); err != nil {
		return misfit(fmt.Errorf("the stored state does not fit the definition: %w", err))
	}
	if err := s.def.Done(ctx, tx, r.ID, state, r.State); err != nil {
		return fmt.Errorf("done: %w", err)
	}
	return nil
}

// write keeps the row, the log's line and what also writes, in one transaction, if the lease is still held.
func (s *Saga[S]) write(ctx context.Context, c *lease.Claim, r *row, e entry, failure error, next lease.Next,
	also func(context.Context, bun.Tx) error,
) error {
	if failure != nil {
		e.Error = shorten(failure)
	}
	e.At = s.opt.Now().UTC()
	if also == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		defer cancel()
	}
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// The row first: who has lost the lease waits here and then does nothing.
		if err := lease.Exec(ctx, c.Update(tx, r, next).Column(columns...)); err != nil {
			return err
		}
		line := e // the insert writes the row's number into it, and InTx may run this again
		if _, err := tx.NewInsert().Model(&line).Exec(ctx); err != nil {
			return err
		}
		if also != nil {
			return also(ctx, tx)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

// interrupted gives the saga to another process, since this one stops or has lost it. The attempt counts: it may have had an
// effect.
func (s *Saga[S]) interrupted(ctx context.Context, c *lease.Claim, r *row) (lease.Next, error) {
	if errors.Is(context.Cause(ctx), lease.ErrLost) {
		return lease.Next{}, lease.ErrLost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return lease.After(0), lease.Exec(ctx, c.Update(s.db, r, lease.After(0)).Column("attempts"))
}
