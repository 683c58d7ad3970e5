package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// ErrNotFound is what Get, Resume and Skip give for an id that is not known.
var ErrNotFound = errors.New("there is no such saga")

// ErrNotParked is what Resume and Skip give for a saga that is not Parked.
var ErrNotParked = errors.New("the saga is not parked")

// ErrNotSkippable is what Skip gives for a saga that is parked where nothing can be passed over.
var ErrNotSkippable = errors.New("it cannot be skipped")

// Instance is one saga.
type Instance[S any] struct {
	ID         string
	State      State
	Step       string   // what it is at: being done, being undone or, when parked, what went wrong; "" at the end
	Done       []string // the steps done and not undone, in order
	Data       S        // zero when what is stored does not fit any more
	Attempts   int      // at Step
	Cause      string   // the error for which it compensates; "" when it does not
	LastError  string
	CreatedAt  time.Time
	FinishedAt time.Time // zero until it is completed or compensated
	DueAt      time.Time // when it is worked on next, or its lease ends; zero when finished or parked
	Log        []Entry   // every attempt; Get only
}

// Entry is an attempt as the log has it. One whose process died is missing.
type Entry struct {
	Step    string
	Action  string // do, undo, or done at the end
	Attempt int
	Error   string // "" when it succeeded
	At      time.Time
}

// Get gives a saga with its log, or ErrNotFound.
func (s *Saga[S]) Get(ctx context.Context, id string) (Instance[S], error) {
	var r row
	if err := s.find(s.db, id).Model(&r).Scan(ctx); err != nil {
		return Instance[S]{}, fmt.Errorf("get saga %s %s: %w", s.def.Name, id, notFound(err))
	}
	instance := instanceOf[S](r)
	err := s.db.NewSelect().Model((*entry)(nil)).Column("step", "action", "attempt", "error", "at").
		Where("name = ?", s.def.Name).Where("id = ?", id).OrderExpr("seq").Scan(ctx, &instance.Log)
	if err != nil {
		return Instance[S]{}, fmt.Errorf("get the log of saga %s %s: %w", s.def.Name, id, err)
	}
	return instance, nil
}

// List gives the sagas in a state, oldest first, at most limit; 0 gives all.
func (s *Saga[S]) List(ctx context.Context, state State, limit int) ([]Instance[S], error) {
	rows, err := s.rows(ctx, state, limit)
	if err != nil {
		return nil, err
	}
	instances := make([]Instance[S], len(rows))
	for i, r := range rows {
		instances[i] = instanceOf[S](r)
	}
	return instances, nil
}

func (s *Saga[S]) rows(ctx context.Context, state State, limit int) (rows []row, err error) {
	query := s.db.NewSelect().Model(&rows).Where("name = ?", s.def.Name).Where("state = ?", state).OrderExpr("created_at, id")
	if limit > 0 {
		query.Limit(int64(limit))
	}
	if err := query.Scan(ctx); err != nil {
		return nil, fmt.Errorf("list sagas %s: %w", s.def.Name, err)
	}
	return rows, nil
}

func instanceOf[S any](r row) Instance[S] {
	i := Instance[S]{
		ID: r.ID, State: r.State, Step: r.Step, Done: r.Done, Attempts: r.Attempts, Cause: r.Cause, LastError: r.LastError,
		CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt, DueAt: r.DueAt,
	}
	_ = json.Unmarshal([]byte(r.Data), &i.Data) // an attempt says when it does not fit
	return i
}

// Resume lets a parked saga go on with the step at which it was parked, with all attempts. Its cause should be mended.
func (s *Saga[S]) Resume(ctx context.Context, id string) error {
	err := s.unpark(ctx, id, func(r *row) error {
		r.Attempts, r.Harmless, r.Since = 0, r.Harmless-r.Attempts, s.opt.Now().UTC() // it stays in doubt if it was
		return nil
	})
	if err != nil {
		return fmt.Errorf("resume saga %s %s: %w", s.def.Name, id, err)
	}
	return nil
}

// Skip lets a parked saga go on as if the step at which it was parked had succeeded, since a person did by hand what it should
// have done or undone. Done cannot be skipped.
func (s *Saga[S]) Skip(ctx context.Context, id string) error {
	err := s.unpark(ctx, id, func(r *row) error {
		switch {
		case r.Step == "":
			return fmt.Errorf("%w: all its steps are over and what fails is Done: mend that and resume the saga", ErrNotSkippable)
		case r.State == Running && s.def.find(r.Step) < 0:
			return fmt.Errorf("%w: nobody knows what comes after step %s: %w", ErrNotSkippable, r.Step, errUnknown)
		}
		s.advance(r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("skip a step of saga %s %s: %w", s.def.Name, id, err)
	}
	return nil
}

// unpark makes a parked saga due after change.
func (s *Saga[S]) unpark(ctx context.Context, id string, change func(*row) error) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var r row
		if err := s.db.ForUpdate(s.find(tx, id).Model(&r)).Scan(ctx); err != nil {
			return notFound(err)
		}
		if r.State != Parked {
			return fmt.Errorf("%w: it is %s", ErrNotParked, r.State)
		}
		r.State, r.Resumes = r.Resumes, ""
		if err := change(&r); err != nil {
			return err
		}
		_, err := tx.NewUpdate().Model(&r).Column(columns...).Set("due_at = ?", s.queue.In(0)).WherePK().Exec(ctx)
		return err
	})
	if err == nil {
		s.queue.Wake()
	}
	return err
}

func (s *Saga[S]) find(db bun.IDB, id string) *bun.SelectQuery {
	return db.NewSelect().Where("name = ?", s.def.Name).Where("id = ?", id)
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
