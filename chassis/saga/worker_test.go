package saga_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// crashAtEachPoint has the worker's goroutine end before and after each effect of a saga that turns back at its last step, and
// in Done. Another takes over when the lease has run out.
func crashAtEachPoint(t *testing.T, db *database.DB) {
	done, written := ends(t, db)
	var w *world
	var died atomic.Bool
	crashOnce := func(ctx context.Context) error {
		if died.CompareAndSwap(false, true) {
			return crash(ctx)
		}
		return nil
	}
	inDone := false
	s := newSaga(t, db, saga.Definition[trip]{
		Name: "journey",
		Steps: func() (steps []saga.Step[trip]) {
			for _, step := range journey(nil, 3).Steps {
				act := func(ctx context.Context, _ *trip) error { return w.act(ctx) }
				steps = append(steps, saga.Step[trip]{Name: step.Name, Do: act, Undo: act})
			}
			return steps
		}(),
		Done: func(ctx context.Context, tx bun.Tx, id string, s trip, outcome saga.State) error {
			def := saga.Definition[trip]{}
			done(&def)
			if err := def.Done(ctx, tx, id, s, outcome); err != nil || !inDone {
				return err
			}
			return crashOnce(ctx)
		},
	})
	run(t, s)
	var want []string
	for i, p := range []string{"a do", "b do", "c do", "b undo", "a undo", "done"} {
		for _, after := range []bool{false, true} {
			id := fmt.Sprint(i, after)
			w = newWorld()
			died.Store(false)
			inDone = p == "done"
			w.fail = func(at point) (f failure) {
				if at.step+" "+at.action == p {
					if after {
						f.after = crashOnce
					} else {
						f.before = crashOnce
					}
				}
				if at.step == "c" && at.action == "do" && at.call == 2 || at.step == "c" && p != "c do" {
					f.before = failing(saga.Refused(errMade))
				}
				return f
			}
			start(t, db, s, id)
			eventually(t, "the worker died", died.Load)
			expire(t, db)
			story := "+a +b -b -a"
			if p == "c do" && after {
				story = "+a +b +c -c -b -a" // the attempt that was lost left its effect
			}
			settled(t, s, w, id, saga.Compensated, story)
			want = append(want, id+" compensated")
		}
	}
	slices.Sort(want)
	if got := written(); !slices.Equal(got, want) {
		t.Errorf("Done wrote %q, want %q", got, want)
	}
}

func crashesForEver(t *testing.T, db *database.DB) {
	w := newWorld()
	w.at("b", "do", failure{after: crash})
	s := newSaga(t, db, journey(w, 2))
	run(t, s)
	start(t, db, s, "1")
	for n := range 3 {
		eventually(t, "it has died again", func() bool { return w.count("journey/1/b/do") == n+1 })
		expire(t, db)
	}
	if i := settled(t, s, w, "1", saga.Compensated, "+a +b -b -a"); !strings.Contains(i.Cause, "died") {
		t.Errorf("cause: %s", i.Cause)
	}
	if n := w.count("journey/1/b/do"); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
}

// twoWorkers has several workers carry out many sagas and wants that no two are ever at the same one.
func twoWorkers(t *testing.T, db *database.DB) {
	const sagas = 30
	w := newWorld()
	var mu sync.Mutex
	busy := map[string]int{}
	workers := map[string]bool{}
	var clash atomic.Bool
	def := func(worker string) saga.Definition[trip] {
		d := journey(w, 3)
		for i, step := range d.Steps {
			d.Steps[i].Do = func(ctx context.Context, s *trip) error {
				id := s.Log[0]
				mu.Lock()
				busy[id]++
				if busy[id] > 1 {
					clash.Store(true)
				}
				workers[worker] = true
				mu.Unlock()
				defer func() {
					mu.Lock()
					busy[id]--
					mu.Unlock()
				}()
				<-time.After(time.Millisecond) // a moment in which others might come
				return step.Do(ctx, s)
			}
		}
		return d
	}
	first := newSaga(t, db, def("first"), func(o *saga.Options) { o.Workers = 2 })
	for i := range sagas {
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			return first.Start(ctx, tx, fmt.Sprint(i), trip{Log: []string{fmt.Sprint(i)}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, first)
	for _, name := range []string{"second", "third"} {
		run(t, newSaga(t, db, def(name), func(o *saga.Options) { o.Workers = 2 }))
	}
	for i := range sagas {
		id := fmt.Sprint(i)
		await(t, first, id, saga.Completed)
		for _, step := range []string{"a", "b", "c"} {
			if n := w.count("journey/" + id + "/" + step + "/do"); n != 1 {
				t.Errorf("step %s of saga %s was done %d times", step, id, n)
			}
		}
	}
	if clash.Load() {
		t.Error("two workers were at one saga")
	}
	if len(workers) < 2 {
		t.Errorf("one worker did it all: %v", workers)
	}
}

// lostLease takes the saga away from a worker in the middle of a step, as one who takes over does, and wants that the worker
// is told, and that what it would write comes too late.
func lostLease(t *testing.T, db *database.DB) {
	w := newWorld()
	entered, leave := make(chan struct{}), make(chan struct{})
	told := make(chan struct{})
	w.at("a", "do", failure{after: func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		close(told)
		<-leave
		return nil
	}}, 1)
	s := newSaga(t, db, journey(w, 2), func(o *saga.Options) { o.Lease = time.Second })
	stop := run(t, s)
	start(t, db, s, "1")
	<-entered
	if _, err := db.ExecContext(t.Context(), "UPDATE saga SET fence = fence + 1, state = 'parked', resumes = 'running', due_at = NULL"); err != nil {
		t.Fatal(err)
	}
	<-told
	close(leave)
	stop() // waits for the worker
	if i := get(t, s, "1"); i.State != saga.Parked || i.Step != "a" || len(i.Done) != 0 || len(i.Log) != 0 {
		t.Errorf("who lost the lease wrote: %+v", i)
	}
	if err := s.Resume(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	run(t, s)
	await(t, s, "1", saga.Completed)
	settled(t, s, w, "1", saga.Completed, "+a +b")
}

func longStep(t *testing.T, db *database.DB) {
	w := newWorld()
	entered, leave := make(chan struct{}), make(chan struct{})
	w.at("a", "do", failure{after: func(context.Context) error {
		close(entered)
		<-leave
		return nil
	}}, 1)
	s := newSaga(t, db, journey(w, 1), func(o *saga.Options) { o.Lease = 3 * time.Second })
	run(t, s)
	start(t, db, s, "1")
	<-entered
	first := get(t, s, "1").DueAt
	eventually(t, "the lease is prolonged", func() bool { return get(t, s, "1").DueAt.After(first) })
	close(leave)
	settled(t, s, w, "1", saga.Completed, "+a")
	if n := w.count("journey/1/a/do"); n != 1 {
		t.Errorf("the step ran %d times", n)
	}
}

func stopHandsOver(t *testing.T, db *database.DB) {
	w := newWorld()
	entered, leave := make(chan struct{}), make(chan struct{})
	w.at("a", "do", failure{after: func(context.Context) error {
		close(entered)
		<-leave
		return nil
	}})
	long := func(o *saga.Options) { o.Lease = time.Hour }
	s := newSaga(t, db, journey(w, 2), long)
	stop := run(t, s)
	start(t, db, s, "1")
	<-entered
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	other := newSaga(t, db, journey(w, 2), long)
	eventually(t, "the worker knows that it is to stop", func() bool {
		select {
		case leave <- struct{}{}:
		default:
		}
		select {
		case <-stopped:
			return true
		default:
			return false
		}
	})
	if i := get(t, s, "1"); i.Step == "b" && i.Attempts != 0 {
		t.Errorf("an attempt was begun and given back: %+v", i)
	}
	run(t, other) // takes over at once: the lease would last an hour
	settled(t, other, w, "1", saga.Completed, "+a +b")
}

func stopCutsOff(t *testing.T, db *database.DB) {
	w := newWorld()
	entered := make(chan struct{})
	w.at("a", "do", failure{after: func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}}, 1)
	patient := func(o *saga.Options) { o.Lease, o.Timeout, o.Drain = time.Hour, time.Hour, 10*time.Millisecond }
	s := newSaga(t, db, journey(w, 2), patient)
	stop := run(t, s)
	start(t, db, s, "1")
	<-entered
	stop()
	if i := get(t, s, "1"); i.State != saga.Running || i.Step != "a" || i.Attempts != 1 {
		t.Errorf("got %+v", i)
	}
	run(t, newSaga(t, db, journey(w, 2), patient))
	settled(t, s, w, "1", saga.Completed, "+a +b")
}

func noneHeldUp(t *testing.T, db *database.DB) {
	w := newWorld()
	w.fail = func(p point) failure {
		if p.id == "bad" {
			return failure{before: failing(errMade)}
		}
		return failure{}
	}
	s := newSaga(t, db, journey(w, 2), func(o *saga.Options) {
		o.Workers = 1
		o.Retry.Backoff, o.Retry.MaxBackoff = time.Hour, time.Hour
	})
	start(t, db, s, "bad")
	run(t, s)
	eventually(t, "the bad one waits", func() bool { return get(t, s, "bad").LastError != "" })
	start(t, db, s, "good")
	await(t, s, "good", saga.Completed)
}

func tracesGoOn(t *testing.T, db *database.DB) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	w := newWorld()
	var seen telemetry.IDs
	w.at("b", "do", failure{before: func(ctx context.Context) error {
		seen = telemetry.ContextIDs(ctx)
		return saga.Refused(errMade)
	}})
	s := newSaga(t, db, journey(w, 2), func(o *saga.Options) { o.Tracer = provider })
	ctx, span := provider.Tracer("test").Start(t.Context(), "request")
	ids := telemetry.IDs{Request: "req-1", Correlation: "cor-1"}
	err := db.InTx(telemetry.WithIDs(ctx, ids), func(ctx context.Context, tx bun.Tx) error { return s.Start(ctx, tx, "1", trip{}) })
	if err != nil {
		t.Fatal(err)
	}
	span.End()
	stop := run(t, s)
	settled(t, s, w, "1", saga.Compensated, "+a -a")
	stop()
	var names []string
	for _, ended := range spans.Ended() {
		if ended.Parent().SpanID() == span.SpanContext().SpanID() {
			names = append(names, ended.Name())
		}
	}
	if want := []string{"saga journey: do a", "saga journey: do b", "saga journey: undo a", "saga journey: done"}; !slices.Equal(names, want) {
		t.Errorf("spans of the request: %q, want %q", names, want)
	}
	if seen != ids {
		t.Errorf("the step's ids are %+v", seen)
	}
}

func retention(t *testing.T, db *database.DB) {
	var day atomic.Int64
	w := newWorld()
	s := newSaga(t, db, journey(w, 1), func(o *saga.Options) {
		o.Retention = 24 * time.Hour
		o.Now = func() time.Time { return time.Date(2026, 1, 1+int(day.Load()), 0, 0, 0, 0, time.UTC) }
	})
	stop := run(t, s)
	start(t, db, s, "old")
	await(t, s, "old", saga.Completed)
	day.Store(2)
	start(t, db, s, "young")
	await(t, s, "young", saga.Completed)
	stop()
	start(t, db, s, "running")
	if err := saga.Clean(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string][]string{"saga": {"running", "young"}, "saga_log": {"young", "young"}} {
		var ids []string
		if err := db.NewSelect().Table(table).Column("id").OrderExpr("id").Scan(t.Context(), &ids); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: kept %q, want %q", table, ids, want)
		}
	}
}
