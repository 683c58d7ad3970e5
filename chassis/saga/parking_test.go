package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
)

// poison gives a running saga of three steps that was refused at c and cannot undo b, and is parked for it.
func poison(t *testing.T, db *database.DB, refusal error) (*world, *saga.Saga[trip]) {
	t.Helper()
	w := newWorld()
	w.fail = func(p point) failure {
		switch {
		case p.step == "c" && p.action == "do":
			return failure{before: failing(saga.Refused(errMade))}
		case p.step == "b" && p.action == "undo":
			return failure{before: failing(refusal)}
		}
		return failure{}
	}
	s := newSaga(t, db, journey(w, 3))
	run(t, s)
	start(t, db, s, "1")
	i := settled(t, s, w, "1", saga.Parked, "+a +b")
	if i.Step != "b" || i.Cause != errMade.Error() || !i.DueAt.IsZero() || !i.FinishedAt.IsZero() {
		t.Errorf("got %+v", i)
	}
	return w, s
}

func parkedAndResumed(t *testing.T, db *database.DB) {
	w, s := poison(t, db, errMade)
	if n := w.count("journey/1/b/undo"); n != 3 {
		t.Errorf("%d attempts to undo, want 3", n)
	}
	if err := s.Resume(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all attempts are used up again", func() bool { return w.count("journey/1/b/undo") == 6 })
	settled(t, s, w, "1", saga.Parked, "+a +b")
	w.mend()
	if err := s.Resume(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	await(t, s, "1", saga.Compensated)
	settled(t, s, w, "1", saga.Compensated, "+a +b -b -a")
}

func parkedAndSkipped(t *testing.T, db *database.DB) {
	w, s := poison(t, db, saga.Permanent(errMade))
	if n := w.count("journey/1/b/undo"); n != 1 {
		t.Errorf("%d attempts to undo what fails permanently, want 1", n)
	}
	if err := s.Skip(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	await(t, s, "1", saga.Compensated)
	settled(t, s, w, "1", saga.Compensated, "+a +b -a")

	w = newWorld()
	w.at("b", "do", failure{before: failing(saga.Refused(errMade))})
	forward := newSaga(t, db, journey(w, 3, pivot(0), func(def *saga.Definition[trip]) { def.Name = "forward" }))
	run(t, forward)
	start(t, db, forward, "1")
	settled(t, forward, w, "1", saga.Parked, "+a")
	if err := forward.Skip(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	await(t, forward, "1", saga.Completed)
	settled(t, forward, w, "1", saga.Completed, "+a +c")
}

func resumeOthers(t *testing.T, db *database.DB) {
	w := newWorld()
	s := newSaga(t, db, journey(w, 1))
	start(t, db, s, "1")
	for name, fn := range map[string]func(context.Context, string) error{"Resume": s.Resume, "Skip": s.Skip} {
		if err := fn(t.Context(), "1"); !errors.Is(err, saga.ErrNotParked) {
			t.Errorf("%s of a running one: %v", name, err)
		}
		if err := fn(t.Context(), "2"); !errors.Is(err, saga.ErrNotFound) {
			t.Errorf("%s of none: %v", name, err)
		}
	}
	run(t, s)
	settled(t, s, w, "1", saga.Completed, "+a")
	if err := s.Resume(t.Context(), "1"); !errors.Is(err, saga.ErrNotParked) {
		t.Errorf("Resume of a finished one: %v", err)
	}
}

// failingDone has Done write and then fail, panic first, so often.
func failingDone(t *testing.T, db *database.DB, times int, refusal error) (change func(*saga.Definition[trip]), written func() []string) {
	t.Helper()
	done, written := ends(t, db)
	calls := 0
	change = func(def *saga.Definition[trip]) {
		done(def)
		write := def.Done
		def.Done = func(ctx context.Context, tx bun.Tx, id string, s trip, outcome saga.State) error {
			if err := write(ctx, tx, id, s, outcome); err != nil {
				return err
			}
			calls++
			switch {
			case calls > times:
				return nil
			case calls == 1:
				panic("made by the test")
			}
			return refusal
		}
	}
	return change, written
}

func doneFails(t *testing.T, db *database.DB) {
	w := newWorld()
	done, written := failingDone(t, db, 2, errMade)
	s := newSaga(t, db, journey(w, 1, done))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Completed, "+a")
	if diff := cmp.Diff([]string{"1 completed +a"}, written()); diff != "" {
		t.Errorf("Done (-want +got):\n%s", diff)
	}
}

// doneLoses has the database choose the end's transaction, once, as the one of two that is to give way. That is no failure of Done.
func doneLoses(t *testing.T, db *database.DB) {
	w := newWorld()
	calls := 0
	s := newSaga(t, db, journey(w, 1, func(def *saga.Definition[trip]) {
		def.Done = func(context.Context, bun.Tx, string, trip, saga.State) error {
			if calls++; calls == 1 {
				return &pgconn.PgError{Code: "40P01"}
			}
			return nil
		}
	}))
	run(t, s)
	start(t, db, s, "1")
	settled(t, s, w, "1", saga.Completed, "+a")
	failures, err := db.NewSelect().Table("saga_log").Where("error <> ''").Count(t.Context())
	if err != nil || failures != 0 || calls != 2 {
		t.Errorf("%d calls of Done, %d failures in the log, %v", calls, failures, err)
	}
}

func doneParked(t *testing.T, db *database.DB) {
	w := newWorld()
	done, written := failingDone(t, db, 3, errMade)
	s := newSaga(t, db, journey(w, 1, done))
	run(t, s)
	start(t, db, s, "1")
	if i := settled(t, s, w, "1", saga.Parked, "+a"); i.Step != "" || !strings.Contains(i.LastError, errMade.Error()) {
		t.Errorf("got %+v", i)
	}
	if err := s.Skip(t.Context(), "1"); err == nil {
		t.Error("Done was skipped")
	}
	if got := written(); len(got) != 0 {
		t.Errorf("failed ends were written: %q", got)
	}
	if err := s.Resume(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	await(t, s, "1", saga.Completed)
	if diff := cmp.Diff([]string{"1 completed +a"}, written()); diff != "" {
		t.Errorf("Done (-want +got):\n%s", diff)
	}
}

func lostStep(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("c", "do", failure{before: failing(saga.Refused(errMade))})
	w.at("b", "do", failure{before: failing(errMade)})
	slow := func(o *saga.Options) { o.Retry.Backoff, o.Retry.MaxBackoff = time.Hour, time.Hour }
	before := newSaga(t, db, journey(w, 3), slow)
	stop := run(t, before)
	start(t, db, before, "1")
	eventually(t, "b has failed", func() bool { return w.count("journey/1/b/do") == 1 && get(t, before, "1").LastError != "" })
	stop()
	if _, err := db.ExecContext(t.Context(), "UPDATE saga SET due_at = created_at"); err != nil { // the hour is over
		t.Fatal(err)
	}

	after := newSaga(t, db, journey(w, 3, func(def *saga.Definition[trip]) { def.Steps[1].Name = "renamed" }))
	stop = run(t, after)
	if i := settled(t, after, w, "1", saga.Parked, "+a"); i.Step != "b" || !strings.Contains(i.LastError, "no such step") {
		t.Errorf("got %+v", i)
	}
	if err := after.Skip(t.Context(), "1"); err == nil {
		t.Error("a step of which nobody knows the next was skipped")
	}
	stop()

	run(t, before)
	w.at("c", "do", failure{before: failing(saga.Refused(errMade))})
	if err := before.Resume(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	await(t, before, "1", saga.Compensated)
	settled(t, before, w, "1", saga.Compensated, "+a +b -b -a")
}

func misfitState(t *testing.T, db *database.DB) {
	w := newWorld()
	s := newSaga(t, db, journey(w, 2))
	start(t, db, s, "1")
	if _, err := db.ExecContext(t.Context(), "UPDATE saga SET data = '[]'"); err != nil {
		t.Fatal(err)
	}
	stop := run(t, s)
	settled(t, s, w, "1", saga.Parked, "")
	stop()
	good, err := json.Marshal(trip{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE saga SET data = ?", string(good)); err != nil {
		t.Fatal(err)
	}
	if err := s.Resume(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	run(t, s)
	await(t, s, "1", saga.Completed)
	settled(t, s, w, "1", saga.Completed, "+a +b")
}

func listed(t *testing.T, db *database.DB) {
	_, s := poison(t, db, saga.Permanent(errMade))
	start(t, db, s, "2")
	await(t, s, "2", saga.Parked)
	for limit, want := range map[int]int{0: 2, 1: 1} {
		parked, err := s.List(t.Context(), saga.Parked, limit)
		if err != nil || len(parked) != want || parked[0].ID != "1" || parked[0].Data.N != 2 {
			t.Errorf("limit %d: %+v, %v", limit, parked, err)
		}
	}
	if running, err := s.List(t.Context(), saga.Running, 0); err != nil || len(running) != 0 {
		t.Errorf("running: %+v, %v", running, err)
	}
}

func metricsTell(t *testing.T, db *database.DB) {
	registry := prometheus.NewRegistry()
	w := newWorld()
	w.fail = func(p point) failure {
		switch {
		case p.id == "refused" && p.step == "b" && p.action == "do", p.id == "stuck" && p.step == "b" && p.action == "do":
			return failure{before: failing(saga.Refused(errMade))}
		case p.id == "stuck" && p.action == "undo":
			return failure{before: failing(errMade)}
		}
		return failure{}
	}
	s := newSaga(t, db, journey(w, 2), func(o *saga.Options) { o.Registry = registry })
	newSaga(t, db, journey(w, 1, func(def *saga.Definition[trip]) { def.Name = "other" }), func(o *saga.Options) { o.Registry = registry })
	stop := run(t, s)
	for id, state := range map[string]saga.State{"good": saga.Completed, "refused": saga.Compensated, "stuck": saga.Parked} {
		start(t, db, s, id)
		await(t, s, id, state)
	}
	stop()
	start(t, db, s, "new")
	if err := saga.Measure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
		# HELP saga_instances Sagas that are not finished, by state: running, compensating, parked; a parked one waits for a person.
		# TYPE saga_instances gauge
		saga_instances{saga="journey",state="compensating"} 0
		saga_instances{saga="journey",state="parked"} 1
		saga_instances{saga="journey",state="running"} 1
		# HELP saga_step_failures_total Failed attempts, by action (do, undo, done) and kind: transient, permanent.
		# TYPE saga_step_failures_total counter
		saga_step_failures_total{action="do",kind="permanent",saga="journey",step="b"} 2
		saga_step_failures_total{action="undo",kind="transient",saga="journey",step="a"} 3
	`), "saga_instances", "saga_step_failures_total")
	if err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(registry, "saga_duration_seconds"); n != 2 { // one for each outcome
		t.Errorf("%d durations", n)
	}
}
