package saga_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
)

// eachStep runs a saga of three steps for each of them, failing there, and wants that outcome and those effects.
func eachStep(t *testing.T, db *database.DB, f failure, calls []int, state saga.State, want [3]string) {
	t.Helper()
	for i, step := range []string{"a", "b", "c"} {
		w := newWorld()
		w.at(step, "do", f, calls...)
		s := newSaga(t, db, journey(w, 3, func(def *saga.Definition[trip]) { def.Name = "fails-at-" + step }))
		stop := run(t, s)
		start(t, db, s, "1")
		got := settled(t, s, w, "1", state, want[i])
		if state == saga.Compensated && (got.Data.N != 0 && got.Data.N != -1 || got.Cause == "" || len(got.Done) != 0) {
			t.Errorf("got %+v", got)
		}
		stop()
	}
}

func eachStepRefused(t *testing.T, db *database.DB) {
	eachStep(t, db, failure{before: failing(saga.Refused(errMade))}, nil, saga.Compensated, [3]string{"", "+a -a", "+a +b -b -a"})
}

func causeIsKnown(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("b", "do", failure{before: failing(saga.Refused(errMade))})
	causes := make(chan string, 4)
	s := newSaga(t, db, journey(w, 3, func(def *saga.Definition[trip]) {
		do, undo := def.Steps[0].Do, def.Steps[0].Undo
		def.Steps[0].Do = func(ctx context.Context, s *trip) error {
			causes <- "do: " + saga.Cause(ctx)
			return do(ctx, s)
		}
		def.Steps[0].Undo = func(ctx context.Context, s *trip) error {
			causes <- "undo: " + saga.Cause(ctx)
			return undo(ctx, s)
		}
		def.Done = func(ctx context.Context, _ bun.Tx, _ string, _ trip, _ saga.State) error {
			causes <- "done: " + saga.Cause(ctx)
			return nil
		}
	}))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Compensated, "+a -a")
	for _, want := range []string{"do: ", "undo: " + errMade.Error(), "done: " + errMade.Error()} {
		if got := <-causes; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func eachStepPermanent(t *testing.T, db *database.DB) {
	eachStep(t, db, failure{after: failing(saga.Permanent(errMade))}, nil, saga.Compensated, [3]string{"+a -a", "+a +b -b -a", "+a +b +c -c -b -a"})
}

func eachStepTransient(t *testing.T, db *database.DB) {
	eachStep(t, db, failure{before: failing(errMade)}, []int{1, 2}, saga.Completed, [3]string{"+a +b +c", "+a +b +c", "+a +b +c"})
}

func eachStepTooOften(t *testing.T, db *database.DB) {
	eachStep(t, db, failure{after: failing(errMade)}, nil, saga.Compensated, [3]string{"+a -a", "+a +b -b -a", "+a +b +c -c -b -a"})
}

func eachStepPanics(t *testing.T, db *database.DB) {
	eachStep(t, db, failure{after: panics}, []int{1}, saga.Completed, [3]string{"+a +b +c", "+a +b +c", "+a +b +c"})
}

// eachStepNoEffect also wants that what had no effect is not undone.
func eachStepNoEffect(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("b", "do", failure{before: failing(fmt.Errorf("connect: %w", saga.NoEffect(errMade)))})
	s := newSaga(t, db, journey(w, 3))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Compensated, "+a -a")
	if do, undo := w.count("journey/1/b/do"), w.count("journey/1/b/undo"); do != 3 || undo != 0 {
		t.Errorf("%d attempts and %d undos, want 3 and none", do, undo)
	}
}

func refusalAfterDoubt(t *testing.T, db *database.DB) {
	w := newWorld()
	w.fail = func(p point) failure {
		switch {
		case p.step == "b" && p.action == "do" && p.call == 1:
			return failure{after: failing(errMade)} // it had its effect
		case p.step == "b" && p.action == "do":
			return failure{before: failing(saga.Refused(errMade))} // by a callee that forgot
		}
		return failure{}
	}
	s := newSaga(t, db, journey(w, 3))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Compensated, "+a +b -b -a")
}

func retriesWithin(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("a", "do", failure{before: failing(errMade)})
	began := time.Now()
	s := newSaga(t, db, journey(w, 1, func(def *saga.Definition[trip]) {
		def.Steps[0].Retry = saga.Retry{Attempts: 1 << 30, Within: time.Second} // on a busy machine an attempt alone may take a tenth
	}))
	run(t, s)
	start(t, db, s, "1")
	i := settled(t, s, w, "1", saga.Compensated, "")
	if n := w.count("journey/1/a/do"); n < 2 || i.FinishedAt.Sub(began) > 20*time.Second {
		t.Errorf("%d attempts in %s", n, i.FinishedAt.Sub(began))
	}
}

func stepTimeout(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("b", "do", failure{after: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	s := newSaga(t, db, journey(w, 2, func(def *saga.Definition[trip]) { def.Steps[1].Timeout = 20 * time.Millisecond }))
	run(t, s)
	start(t, db, s, "1")
	if i := settled(t, s, w, "1", saga.Compensated, "+a +b -b -a"); !strings.Contains(i.Cause, "deadline") {
		t.Errorf("cause: %s", i.Cause)
	}
}

func pivot(n int) func(*saga.Definition[trip]) {
	return func(def *saga.Definition[trip]) { def.Steps[n].Pivot = true }
}

func noUndo(n int) func(*saga.Definition[trip]) {
	return func(def *saga.Definition[trip]) { def.Steps[n].Undo = nil }
}

func afterPivot(t *testing.T, db *database.DB) {
	for _, refusal := range []error{errMade, saga.Permanent(errMade), saga.Refused(errMade)} {
		w := newWorld()
		w.at("c", "do", failure{before: failing(refusal)})
		s := newSaga(t, db, journey(w, 3, pivot(1)), func(o *saga.Options) { o.Retry.Attempts = 1 })
		stop := run(t, s)
		id := fmt.Sprintf("%p", w)
		start(t, db, s, id)
		i := settled(t, s, w, id, saga.Parked, "+a +b")
		if i.Step != "c" || i.Cause != "" {
			t.Errorf("got %+v", i)
		}
		w.mend()
		if err := s.Resume(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		await(t, s, id, saga.Completed)
		settled(t, s, w, id, saga.Completed, "+a +b +c")
		stop()
	}
}

func doubtfulPivot(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("b", "do", failure{after: failing(errMade)})
	s := newSaga(t, db, journey(w, 3, pivot(1), noUndo(1)))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Parked, "+a +b")

	// A refusal after it was resumed does not tell what the attempts before it did.
	w.at("b", "do", failure{before: failing(saga.Refused(errMade))})
	if err := s.Resume(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was tried again", func() bool { return w.count("journey/1/b/do") == 4 })
	settled(t, s, w, "1", saga.Parked, "+a +b")

	start(t, db, s, "2")
	settled(t, s, w, "2", saga.Compensated, "+a +b +a -a") // refused before anything happened
}

func doubtfulPivotUndone(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("b", "do", failure{after: failing(errMade)})
	s := newSaga(t, db, journey(w, 3, pivot(1)))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Compensated, "+a +b -b -a")
}

func withoutUndo(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("d", "do", failure{before: failing(errMade)})
	s := newSaga(t, db, journey(w, 4, noUndo(1), noUndo(3)))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Compensated, "+a +b +c -c -a")
}

func stateChanges(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("b", "do", failure{after: failing(errMade)}, 1, 2)
	s := newSaga(t, db, journey(w, 2))
	run(t, s)
	start(t, db, s, "1")
	i := settled(t, s, w, "1", saga.Completed, "+a +b")
	if got := strings.Join(i.Data.Log, " "); i.Data.N != 2 || got != "+a +b" {
		t.Errorf("the state counts %d and saw %q: a failed attempt changed it", i.Data.N, got)
	}
}
