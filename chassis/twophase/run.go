package twophase

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/internal/lease"
)

const (
	writeTimeout = 5 * time.Second
	alarming     = 10 // failed rounds of telling a decision after which the log calls for a person
)

// Run brings transactions to their end until ctx ends; any number of processes may run it at once. Calls under way then go on
// for at most Drain. Run also keeps the metrics and deletes finished transactions after Retention. While the database or a
// participant is away it tries again and again.
func (c *Coordinator[D]) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	failed := func(err error) { c.opt.Log.Warn("the table of transactions cannot be looked after", "error", err) }
	group.Go(func() { lease.Every(ctx, statsInterval, c.measure, failed) })
	group.Go(func() { lease.Every(ctx, cleanInterval, c.clean, failed) })
	return c.queue.Run(ctx, c.work)
}

// work carries a transaction on until it is finished or has to wait.
func (c *Coordinator[D]) work(ctx context.Context, claim *lease.Claim) error {
	var r row
	err := c.db.NewSelect().Model(&r).Where("name = ?", c.name).Where("id = ?", claim.ID).Where("fence = ?", claim.Fence).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return lease.ErrLost
	}
	if err != nil {
		return fmt.Errorf("read the transaction: %w", err)
	}
	ctx = r.Origin.context(ctx)
	if r.State == Preparing {
		if done, err := c.prepare(ctx, claim, &r); done || err != nil {
			return err
		}
	}
	return c.tell(ctx, claim, &r)
}

// prepare is phase one; it ends with a decision, unless done is true: then the transaction was given back.
func (c *Coordinator[D]) prepare(ctx context.Context, claim *lease.Claim, r *row) (done bool, err error) {
	cause := c.vote(ctx, r)
	if cause != nil && ctx.Err() != nil {
		return true, c.interrupted(ctx, claim, r)
	}
	decision := Commit
	if cause != nil {
		decision = Abort
	}
	err = c.decide(ctx, claim, r, decision, cause)
	var hook hookError
	if !errors.As(err, &hook) {
		return false, err // what is in the table, now or never, was decided: whoever claims it next reads it
	}
	c.opt.Log.WarnContext(ctx, "a decision was not taken since Decided failed; it is made again", "txn", r.txn(), "decision", decision, "error", err)
	return true, c.giveBack(ctx, claim, r, err)
}

// vote asks all participants and gives nil when all have voted yes in time.
func (c *Coordinator[D]) vote(ctx context.Context, r *row) error {
	var data D
	if err := json.Unmarshal([]byte(r.Data), &data); err != nil {
		return fmt.Errorf("the stored data do not fit: %w", err)
	}
	late := fmt.Errorf("not all participants voted yes within %s", r.Deadline.Sub(r.CreatedAt))
	left := r.Deadline.Sub(c.opt.Now())
	if left <= 0 {
		return late
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, late)
	defer cancel()
	errs := each(r.Members, func(name string) error {
		err := c.ask(ctx, r, name, data)
		if err != nil {
			cancel() // the others' votes do not matter any more
		}
		return err
	})
	var first error
	for _, err := range errs {
		if first == nil || err != nil && IsRefused(err) {
			first = err
		}
	}
	if first == nil && c.opt.Now().After(r.Deadline) {
		return late
	}
	return first
}

// ask asks a participant for its vote, again and again while nobody knows it.
func (c *Coordinator[D]) ask(ctx context.Context, r *row, name string, data D) error {
	for attempt := 1; ; attempt++ {
		err := c.call(ctx, r, name, "prepare", func(ctx context.Context, p Participant[D]) error { return p.Prepare(ctx, r.txn(), data) })
		if err == nil || IsRefused(err) {
			return err
		}
		if lease.Rest(ctx, c.pause(attempt), nil); ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// each calls fn for all names at once and gives what each returned. When a call ended its goroutine instead, this one ends too:
// nobody knows more than after a crash, least of all that it succeeded.
func each(members names, fn func(string) error) map[string]error {
	var mu sync.Mutex
	errs := map[string]error{}
	var group sync.WaitGroup
	for _, name := range members {
		group.Go(func() {
			err := fn(name)
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	group.Wait()
	if len(errs) < len(members) {
		runtime.Goexit()
	}
	return errs
}

// call calls one participant with a time limit and in a span. A panic is an error.
func (c *Coordinator[D]) call(ctx context.Context, r *row, name, phase string, fn func(context.Context, Participant[D]) error) (err error) {
	p := c.members[name]
	if p == nil {
		return fmt.Errorf("participant %s is not known any more: run a version that knows it", name)
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	ctx, span := c.tracer.Start(ctx, "twophase "+r.Name+": "+phase+" "+name, trace.WithAttributes(
		attribute.String("twophase.txn", r.txn()), attribute.String("twophase.participant", name), attribute.String("twophase.phase", phase),
	))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
			c.opt.Log.ErrorContext(ctx, "a participant panicked", "txn", r.txn(), "participant", name, "panic", v, "stack", string(debug.Stack()))
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
			span.SetStatus(codes.Error, shorten(err))
			c.metrics.failures.WithLabelValues(c.name, name, phase).Inc()
		}
		span.End()
	}()
	return fn(ctx, p)
}

// hookError is an error of Decided.
type hookError struct{ error }

func (h hookError) Unwrap() error { return h.error }

// decide makes the decision durable, with what Decided writes.
func (c *Coordinator[D]) decide(ctx context.Context, claim *lease.Claim, r *row, decision Decision, cause error) error {
	next := *r
	next.State, next.Pending, next.Attempts, next.DecidedAt = Committing, r.Members, 1, c.opt.Now().UTC()
	if decision == Abort {
		next.State, next.Cause = Aborting, shorten(cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := c.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		update := claim.Update(tx, &next, lease.Keep()).Column("state", "pending", "attempts", "cause", "decided_at").
			Where("state = ?", Preparing)
		if err := lease.Exec(ctx, update); err != nil {
			return err
		}
		return c.callDecided(ctx, tx, &next)
	})
	if err != nil {
		return fmt.Errorf("decide to %s: %w", decision, err)
	}
	*r = next
	c.metrics.decisions.WithLabelValues(c.name, string(decision)).Inc()
	return nil
}

func (c *Coordinator[D]) callDecided(ctx context.Context, tx bun.Tx, r *row) (err error) {
	if c.decided == nil {
		return nil
	}
	var data D
	if err := json.Unmarshal([]byte(r.Data), &data); err != nil && r.State == Committing {
		return hookError{fmt.Errorf("the stored data do not fit: %w", err)}
	}
	defer func() {
		if v := recover(); v != nil {
			err = hookError{fmt.Errorf("panic: %v", v)}
		}
	}()
	if err := c.decided(context.WithValue(ctx, causeKey{}, r.Cause), tx, r.ID, data, r.State.decision()); err != nil {
		return hookError{err}
	}
	return nil
}

// tell is phase two: it tells the decision to those who have not confirmed it. What they answer changes nothing in it.
func (c *Coordinator[D]) tell(ctx context.Context, claim *lease.Claim, r *row) error {
	decision := r.State.decision()
	errs := each(r.Pending, func(name string) error {
		return c.call(ctx, r, name, string(decision), func(ctx context.Context, p Participant[D]) error {
			if decision == Commit {
				return p.Commit(ctx, r.txn())
			}
			return p.Abort(ctx, r.txn())
		})
	})
	left := names{}
	var last error
	for _, name := range r.Pending {
		if err := errs[name]; err != nil {
			left, last = append(left, name), err
		}
	}
	r.Pending = left
	if last != nil {
		if r.Attempts >= alarming {
			c.opt.Log.ErrorContext(ctx, "a participant cannot be told a decision; it is told again, for ever",
				"txn", r.txn(), "decision", decision, "participants", left, "attempts", r.Attempts, "error", last)
		}
		if ctx.Err() != nil {
			return c.interrupted(ctx, claim, r)
		}
		return c.giveBack(ctx, claim, r, last)
	}
	r.State, r.FinishedAt = Aborted, c.opt.Now().UTC()
	if decision == Commit {
		r.State = Committed
	}
	if err := c.write(ctx, claim, r, lease.Retire()); err != nil {
		return err
	}
	c.metrics.duration.WithLabelValues(c.name, string(r.State)).Observe(r.FinishedAt.Sub(r.CreatedAt).Seconds())
	c.opt.Log.InfoContext(ctx, "a transaction has ended", "txn", r.txn(), "state", r.State, "cause", r.Cause)
	return nil
}

// giveBack has the transaction claimed again after a pause.
func (c *Coordinator[D]) giveBack(ctx context.Context, claim *lease.Claim, r *row, err error) error {
	r.LastError = shorten(err)
	return c.write(ctx, claim, r, lease.After(c.pause(r.Attempts)))
}

// interrupted gives the transaction to another process, since this one stops or has lost it.
func (c *Coordinator[D]) interrupted(ctx context.Context, claim *lease.Claim, r *row) error {
	if errors.Is(context.Cause(ctx), lease.ErrLost) {
		return lease.ErrLost
	}
	return c.write(ctx, claim, r, lease.After(0))
}

// write keeps what became of the transaction, if the lease is still held. It never changes a decision.
func (c *Coordinator[D]) write(ctx context.Context, claim *lease.Claim, r *row, next lease.Next) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := c.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		return lease.Exec(ctx, claim.Update(tx, r, next).Column("state", "pending", "last_error", "finished_at"))
	})
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

func (c *Coordinator[D]) pause(attempts int) time.Duration {
	longest := min(c.opt.Backoff<<min(max(attempts-1, 0), 20), c.opt.MaxBackoff)
	return longest/2 + rand.N(longest/2+1) //nolint:gosec // jitter needs no secrecy
}
