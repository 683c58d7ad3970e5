package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"
)

var (
	// ErrNotFound is an aggregate without events, or without any at the moment asked for.
	ErrNotFound = errors.New("there is no such aggregate")
	// ErrExists is Create of an aggregate that has events.
	ErrExists = errors.New("the aggregate exists")
)

// Aggregate says how an A is rebuilt from its events.
type Aggregate[A any] struct {
	Name     string                           // streams are called Name-id; without "-"
	Apply    func(a *A, event Recorded) error // changes a as the event says, and refuses nothing that was once accepted
	Snapshot Snapshot[A]
	Attempts int // how often an Update is tried that meets conflicts; default 10
}

// Repository loads and changes aggregates of one kind.
type Repository[A any] struct {
	store *Store
	kind  Aggregate[A]
}

// NewRepository makes the repository of a kind of aggregate.
func NewRepository[A any](store *Store, kind Aggregate[A]) (*Repository[A], error) {
	if store == nil || kind.Apply == nil || kind.Name == "" {
		return nil, errors.New("eventstore: a repository needs a store and an aggregate with Name and Apply")
	}
	for _, r := range kind.Name {
		if r == '-' {
			return nil, fmt.Errorf("eventstore: aggregate name %q: it may not have a -, which ends it in a stream's name", kind.Name)
		}
	}
	if kind.Attempts == 0 {
		kind.Attempts = 10
	}
	if err := kind.Snapshot.check(); err != nil {
		return nil, fmt.Errorf("eventstore: aggregate %s: %w", kind.Name, err)
	}
	return &Repository[A]{store: store, kind: kind}, nil
}

// Stream is the name of an aggregate's stream.
func (r *Repository[A]) Stream(id string) string { return r.kind.Name + "-" + id }

// Get gives the aggregate as it is, and its version; ErrNotFound when it has no events.
func (r *Repository[A]) Get(ctx context.Context, id string) (A, int64, error) {
	return r.existing(ctx, id, Range{})
}

// GetAsOf gives the aggregate as it was at a moment.
func (r *Repository[A]) GetAsOf(ctx context.Context, id string, at time.Time) (A, int64, error) {
	return r.existing(ctx, id, Range{AsOf: at})
}

// GetVersion gives the aggregate as it was at a version; ErrNotFound when it has not come so far.
func (r *Repository[A]) GetVersion(ctx context.Context, id string, version int64) (A, int64, error) {
	a, got, err := r.existing(ctx, id, Range{To: max(version, 1)})
	if err == nil && got != version {
		var none A
		return none, 0, fmt.Errorf("%s %s at version %d: %w", r.kind.Name, id, version, ErrNotFound)
	}
	return a, got, err
}

func (r *Repository[A]) existing(ctx context.Context, id string, in Range) (A, int64, error) {
	l, err := r.load(ctx, id, in)
	if err == nil && l.version == 0 {
		err = fmt.Errorf("%s %s: %w", r.kind.Name, id, ErrNotFound)
	}
	if err != nil {
		var none A
		return none, 0, err
	}
	return l.state, l.version, nil
}

// Create starts an aggregate with the events that fn gives; ErrExists when it has some.
func (r *Repository[A]) Create(ctx context.Context, id string, fn func(a *A) ([]any, error)) (Commit, error) {
	return r.change(ctx, "", id, true, fn)
}

// CreateOnce is Create for a command that may come more than once; see UpdateOnce.
func (r *Repository[A]) CreateOnce(ctx context.Context, command, id string, fn func(a *A) ([]any, error)) (Commit, error) {
	return r.changeOnce(ctx, command, id, true, fn)
}

// Update rebuilds the aggregate, has fn decide on events, and appends them. When another append was faster, it starts again
// with the aggregate as it is then, so fn may change nothing but its aggregate, which is thrown away. An error of fn is
// given as it is and nothing is appended; so is nothing when fn gives no events. ErrNotFound when the aggregate has none;
// ErrConflict after Attempts.
//
// Called with the context of a transaction (DB.InTx) it is a part of that: so an event and its message in the outbox
// commit together.
func (r *Repository[A]) Update(ctx context.Context, id string, fn func(a *A) ([]any, error)) (Commit, error) {
	return r.change(ctx, "", id, false, fn)
}

// UpdateOnce is Update for a command that may come more than once, as its sender could not know what became of it: when
// events of it were appended before, fn is not called and that Commit is given, as Repeated. A command that fn refused, or
// that made no events, is decided anew.
func (r *Repository[A]) UpdateOnce(ctx context.Context, command, id string, fn func(a *A) ([]any, error)) (Commit, error) {
	return r.changeOnce(ctx, command, id, false, fn)
}

func (r *Repository[A]) changeOnce(ctx context.Context, command, id string, create bool, fn func(*A) ([]any, error)) (Commit, error) {
	if err := validName("command id", command); err != nil {
		return Commit{}, fmt.Errorf("change %s %s: %w", r.kind.Name, id, err)
	}
	return r.change(ctx, command, id, create, fn)
}

func (r *Repository[A]) change(ctx context.Context, command, id string, create bool, fn func(*A) ([]any, error)) (Commit, error) {
	for attempt := 1; ; attempt++ {
		commit, err := r.attempt(ctx, command, id, create, fn)
		switch {
		case err == nil:
			return commit, nil
		case !errors.Is(err, ErrConflict):
			return Commit{}, err
		case attempt >= r.kind.Attempts:
			return Commit{}, fmt.Errorf("%d attempts: %w", attempt, err)
		case !rest(ctx, rand.N(time.Millisecond<<min(attempt, 6)), nil): //nolint:gosec // jitter needs no secrecy
			return Commit{}, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

func (r *Repository[A]) attempt(ctx context.Context, command, id string, create bool, fn func(*A) ([]any, error)) (commit Commit, err error) {
	err = r.store.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		stream := r.Stream(id)
		if commit, err = done(ctx, tx, command, stream); err != nil || commit.Repeated {
			return err
		}
		l, err := r.load(ctx, id, Range{In: tx})
		switch {
		case err != nil:
			return err
		case create && l.version > 0:
			return fmt.Errorf("%s %s: %w", r.kind.Name, id, ErrExists)
		case !create && l.version == 0:
			return fmt.Errorf("%s %s: %w", r.kind.Name, id, ErrNotFound)
		}
		events, err := fn(&l.state)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			commit = Commit{Stream: stream, Version: l.version, Position: l.position}
			return nil
		}
		commit, err = r.store.append(ctx, command, stream, l.version, events)
		if err == nil && !commit.Repeated {
			r.snapshotAfter(ctx, id, l.snapshot, commit.Version)
		}
		return err
	})
	return commit, err
}

// loaded is an aggregate with where it comes from.
type loaded[A any] struct {
	state    A
	version  int64
	position int64 // of its last event
	snapshot int64 // version of the snapshot that it was loaded from; 0: none
}

// load folds the events of a range, beginning with a snapshot where that is sound.
func (r *Repository[A]) load(ctx context.Context, id string, in Range) (loaded[A], error) {
	stream := r.Stream(id)
	start, found, err := r.snapshot(ctx, stream, in)
	if err != nil {
		return loaded[A]{}, err
	}
	in.From = start.version // the snapshot's own event is read too: without it the snapshot is of another history
	events, err := r.store.Load(ctx, stream, in)
	if err != nil {
		return loaded[A]{}, err
	}
	if found {
		if len(events) > 0 && events[0].Version == start.version && events[0].Position == start.position {
			start.snapshot = start.version
			return r.fold(start, events[1:])
		}
		r.ignore(stream, errors.New("its event is not in the stream"))
		in.From = 0
		if events, err = r.store.Load(ctx, stream, in); err != nil {
			return loaded[A]{}, err
		}
	}
	return r.fold(loaded[A]{}, events)
}

func (r *Repository[A]) fold(l loaded[A], events []Recorded) (loaded[A], error) {
	for _, e := range events {
		if e.Version != l.version+1 {
			return loaded[A]{}, fmt.Errorf("%s has no version %d: events are missing; restore the table eventstore_event", e.Stream, l.version+1)
		}
		if err := r.kind.Apply(&l.state, e); err != nil {
			return loaded[A]{}, fmt.Errorf("apply version %d of %s, %s: %w", e.Version, e.Stream, e.Type, err)
		}
		l.version, l.position = e.Version, e.Position
	}
	return l, nil
}

// rest waits for d or for a wake-up; false when ctx ended.
func rest(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return true
}
