package saga_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
)

// ends has Done write each end into a table.
func ends(t *testing.T, db *database.DB) (change func(*saga.Definition[trip]), written func() []string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE ends (what TEXT)"); err != nil {
		t.Fatal(err)
	}
	change = func(def *saga.Definition[trip]) {
		def.Done = func(ctx context.Context, tx bun.Tx, id string, s trip, outcome saga.State) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO ends VALUES (?)", strings.Join(append([]string{id, string(outcome)}, s.Log...), " "))
			return err
		}
	}
	written = func() (what []string) {
		t.Helper()
		if err := db.NewSelect().Table("ends").Column("what").OrderExpr("what").Scan(t.Context(), &what); err != nil {
			t.Fatal(err)
		}
		return what
	}
	return change, written
}

func completes(t *testing.T, db *database.DB) {
	w := newWorld()
	done, written := ends(t, db)
	s := newSaga(t, db, journey(w, 3, done))
	run(t, s)
	start(t, db, s, "1")
	i := settled(t, s, w, "1", saga.Completed, "+a +b +c")
	if diff := cmp.Diff([]string{"1 completed +a +b +c"}, written()); diff != "" {
		t.Errorf("Done (-want +got):\n%s", diff)
	}
	if i.Data.N != 3 || !slices.Equal(i.Done, []string{"a", "b", "c"}) || i.FinishedAt.IsZero() || !i.DueAt.IsZero() || i.Cause != "" {
		t.Errorf("got %+v", i)
	}
	var log []string
	for _, e := range i.Log {
		log = append(log, e.Step+" "+e.Action)
	}
	if got := strings.Join(log, ", "); got != "a do, b do, c do,  done" {
		t.Errorf("log: %s", got)
	}
}

func neverPoll(o *saga.Options) { o.Poll = time.Hour }

func beginsAtOnce(t *testing.T, db *database.DB) {
	w := newWorld()
	s := newSaga(t, db, journey(w, 1), neverPoll)
	run(t, s)
	for _, id := range []string{"1", "2", "3"} { // the first may meet the worker before it sleeps, the others wake it
		start(t, db, s, id)
		await(t, s, id, saga.Completed)
	}
}

func rollbackBeginsNothing(t *testing.T, db *database.DB) {
	w := newWorld()
	s := newSaga(t, db, journey(w, 1))
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if err := s.Start(ctx, tx, "1", trip{}); err != nil {
			return err
		}
		return errMade
	})
	if !errors.Is(err, errMade) {
		t.Fatal(err)
	}
	run(t, s)
	start(t, db, s, "2")
	await(t, s, "2", saga.Completed)
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, saga.ErrNotFound) || w.story() != "+a" {
		t.Errorf("got %v and effects %q", err, w.story())
	}
}

func pollingFinds(t *testing.T, db *database.DB) {
	w := newWorld()
	here := newSaga(t, db, journey(w, 1))
	run(t, newSaga(t, db, journey(w, 1))) // another process's worker: no commit here wakes it
	start(t, db, here, "1")
	settled(t, here, w, "1", saga.Completed, "+a")
}

func sameID(t *testing.T, db *database.DB) {
	w := newWorld()
	s := newSaga(t, db, journey(w, 2))
	start(t, db, s, "1")
	start(t, db, s, "1")
	run(t, s)
	settled(t, s, w, "1", saga.Completed, "+a +b")
	before := get(t, s, "1")
	start(t, db, s, "1")
	start(t, db, s, "2")
	await(t, s, "2", saga.Completed)
	if diff := cmp.Diff(before, get(t, s, "1")); diff != "" {
		t.Errorf("starting it again changed it (-before +after):\n%s", diff)
	}
	if err := s.Start(t.Context(), db, "", trip{}); err == nil {
		t.Error("a saga without id was started")
	}
}

func definitionsApart(t *testing.T, db *database.DB) {
	w, other := newWorld(), newWorld()
	s := newSaga(t, db, journey(w, 1))
	o := newSaga(t, db, journey(other, 2, func(def *saga.Definition[trip]) { def.Name = "other" }))
	start(t, db, s, "1")
	start(t, db, o, "1")
	run(t, o)
	settled(t, o, other, "1", saga.Completed, "+a +b")
	if i := get(t, s, "1"); i.State != saga.Running || w.story() != "" {
		t.Errorf("%s with %q: it was carried out by the other's worker", i.State, w.story())
	}
	run(t, s)
	settled(t, s, w, "1", saga.Completed, "+a")
}

func TestFaultyDefinitionsAreRefused(t *testing.T) {
	do := func(context.Context, *trip) error { return nil }
	for name, def := range map[string]saga.Definition[trip]{
		"no name":       {Steps: []saga.Step[trip]{{Name: "a", Do: do}}},
		"a slash":       {Name: "a/b", Steps: []saga.Step[trip]{{Name: "a", Do: do}}},
		"no steps":      {Name: "x"},
		"unnamed step":  {Name: "x", Steps: []saga.Step[trip]{{Do: do}}},
		"twins":         {Name: "x", Steps: []saga.Step[trip]{{Name: "a", Do: do}, {Name: "a", Do: do}}},
		"no Do":         {Name: "x", Steps: []saga.Step[trip]{{Name: "a"}}},
		"negative time": {Name: "x", Steps: []saga.Step[trip]{{Name: "a", Do: do, Timeout: -1}}},
	} {
		if _, err := saga.New(&database.DB{}, def, saga.Options{}); err == nil {
			t.Errorf("%s: it was accepted", name)
		}
	}
}

func TestKeysAreEmptyOutsideSteps(t *testing.T) {
	if saga.Key(t.Context()) != "" || saga.DoKey(t.Context()) != "" {
		t.Error("there is a key outside a step")
	}
}
