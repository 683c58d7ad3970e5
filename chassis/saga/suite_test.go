package saga_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/saga"
)

// conformance checks what sagas promise; open gives a new database with the tables in it.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db *database.DB){
		"steps run in order and the end commits with Done":           completes,
		"a commit begins at once":                                    beginsAtOnce,
		"a rollback begins nothing":                                  rollbackBeginsNothing,
		"a commit elsewhere is found by polling":                     pollingFinds,
		"the same id is the same saga":                               sameID,
		"ids of two definitions are apart":                           definitionsApart,
		"each step refused":                                          eachStepRefused,
		"why it compensates is known to Undo and Done":               causeIsKnown,
		"each step failing permanently, perhaps with an effect":      eachStepPermanent,
		"each step failing for a while":                              eachStepTransient,
		"each step failing too often":                                eachStepTooOften,
		"each step without effect failing too often":                 eachStepNoEffect,
		"each step panicking":                                        eachStepPanics,
		"a refusal after a doubtful attempt is undone too":           refusalAfterDoubt,
		"retries end in time":                                        retriesWithin,
		"a step has its time limit":                                  stepTimeout,
		"after the pivot there is no way back":                       afterPivot,
		"a doubtful pivot that cannot be undone is parked":           doubtfulPivot,
		"a doubtful pivot with an undo is compensated":               doubtfulPivotUndone,
		"a step without undo is passed over":                         withoutUndo,
		"the state changes with a step's success alone":              stateChanges,
		"a crash at each point":                                      crashAtEachPoint,
		"a step that takes its process down again and again":         crashesForEver,
		"a compensation that fails is parked and resumed":            parkedAndResumed,
		"what a person did by hand is skipped":                       parkedAndSkipped,
		"only what is parked is resumed":                             resumeOthers,
		"a person sees what is parked and lets it go on":             seenAndReleased,
		"the end of a saga is not skipped":                           endIsNotSkipped,
		"Done that fails undoes the end and is tried again":          doneFails,
		"Done that goes on failing is parked, and resumed":           doneParked,
		"Done that loses against another transaction runs again":     doneLoses,
		"a step that the definition lost is parked until it is back": lostStep,
		"a state that does not fit is parked":                        misfitState,
		"two workers never share a saga":                             twoWorkers,
		"who lost its lease cannot write":                            lostLease,
		"a long step keeps its lease":                                longStep,
		"a stop hands over between steps":                            stopHandsOver,
		"a stop cuts off what does not end":                          stopCutsOff,
		"a failing saga does not hold up others":                     noneHeldUp,
		"listed by state":                                            listed,
		"metrics tell how sagas are":                                 metricsTell,
		"steps are in the trace of the request":                      tracesGoOn,
		"finished sagas are deleted after their retention":           retention,
		"random failures and crashes leave effects in balance":       balance,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, saga.Migrations()) })
}

func openURL(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := database.Migrate(context.Background(), db, saga.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}

var errMade = errors.New("made by the test")

// trip is the state of the tests' sagas.
type trip struct {
	N   int
	Log []string
}

// world is what the steps act on: callees that know their keys, as saga asks of them. It fails as the test says.
type world struct {
	mu      sync.Mutex
	journal []string        // effects, in order
	effects map[string]bool // by the key of Do
	buried  map[string]bool // keys of Do that were undone
	calls   map[string]int  // by key
	fail    func(p point) failure
}

// point is an attempt of an action.
type point struct {
	id, step, action string
	call             int // the first is 1
}

// failure is what goes wrong at a point, before or after the effect.
type failure struct {
	before, after func(ctx context.Context) error
}

func newWorld() *world {
	return &world{effects: map[string]bool{}, buried: map[string]bool{}, calls: map[string]int{}}
}

func (w *world) act(ctx context.Context) error {
	key := saga.Key(ctx)
	words := strings.Split(key, "/")
	p := point{id: words[1], step: words[2], action: words[3]}
	w.mu.Lock()
	w.calls[key]++
	p.call = w.calls[key]
	var f failure
	if w.fail != nil {
		f = w.fail(p)
	}
	w.mu.Unlock()
	if f.before != nil {
		if err := f.before(ctx); err != nil {
			return err
		}
	}
	if err := w.take(p, saga.DoKey(ctx)); err != nil {
		return err
	}
	if f.after != nil {
		return f.after(ctx)
	}
	return nil
}

// take has the effect, unless it was had before.
func (w *world) take(p point, doKey string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.action == "undo" {
		w.buried[doKey] = true
		if w.effects[doKey] {
			delete(w.effects, doKey)
			w.journal = append(w.journal, "-"+p.step)
		}
		return nil
	}
	if w.buried[doKey] {
		return saga.Refused(errors.New("it was undone already"))
	}
	if !w.effects[doKey] {
		w.effects[doKey] = true
		w.journal = append(w.journal, "+"+p.step)
	}
	return nil
}

// at has the failure f at every call of a step's action whose number is among calls; without any, at all calls.
func (w *world) at(step, action string, f failure, calls ...int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = func(p point) failure {
		if p.step == step && p.action == action && (len(calls) == 0 || slices.Contains(calls, p.call)) {
			return f
		}
		return failure{}
	}
}

func (w *world) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = nil
}

func (w *world) story() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.journal, " ")
}

func (w *world) count(key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[key]
}

func failing(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// crash ends the goroutine as a crash would: nothing after it runs, and nobody is told.
func crash(context.Context) error {
	runtime.Goexit()
	return nil
}

func panics(context.Context) error { panic("made by the test") }

// journey is a definition with the steps a, b, c …, each acting on w and counting in the state.
func journey(w *world, n int, change ...func(*saga.Definition[trip])) saga.Definition[trip] {
	def := saga.Definition[trip]{Name: "journey"}
	for i := range n {
		name := string(rune('a' + i))
		def.Steps = append(def.Steps, saga.Step[trip]{
			Name: name,
			Do: func(ctx context.Context, s *trip) error {
				s.N++
				s.Log = append(s.Log, "+"+name)
				return w.act(ctx)
			},
			Undo: func(ctx context.Context, s *trip) error {
				s.N--
				s.Log = append(s.Log, "-"+name)
				return w.act(ctx)
			},
		})
	}
	for _, c := range change {
		c(&def)
	}
	return def
}

const testLease = 30 * time.Second // longer than a busy machine stops a process

func newSaga(t testing.TB, db *database.DB, def saga.Definition[trip], change ...func(*saga.Options)) *saga.Saga[trip] {
	t.Helper()
	retry := saga.Retry{Attempts: 3, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
	opt := saga.Options{
		Poll: 10 * time.Millisecond, Lease: testLease, Retry: retry, Insist: retry, Log: testLog(),
	}
	for _, c := range change {
		c(&opt)
	}
	s, err := saga.New(db, def, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run has the worker work until the test ends or stop is called.
func run(t testing.TB, s *saga.Saga[trip]) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func start(t testing.TB, db *database.DB, s *saga.Saga[trip], id string) {
	t.Helper()
	err := db.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error { return s.Start(ctx, tx, id, trip{}) })
	if err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, s *saga.Saga[trip], id string) saga.Instance[trip] {
	t.Helper()
	i, err := s.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// await waits until the saga is in one of the states, and gives it.
func await(t testing.TB, s *saga.Saga[trip], id string, states ...saga.State) saga.Instance[trip] {
	t.Helper()
	var i saga.Instance[trip]
	eventually(t, fmt.Sprintf("saga %s is %v", id, states), func() bool {
		i = get(t, s, id)
		return slices.Contains(states, i.State)
	})
	return i
}

// settled waits until the saga is finished or parked, and wants that state and these effects.
func settled(t testing.TB, s *saga.Saga[trip], w *world, id string, state saga.State, story string) saga.Instance[trip] {
	t.Helper()
	i := await(t, s, id, saga.Completed, saga.Compensated, saga.Parked)
	if i.State != state || w.story() != story {
		t.Errorf("%s with %q, want %s with %q; last error: %s", i.State, w.story(), state, story, i.LastError)
	}
	return i
}

// expire ends the leases, as if the time had passed.
func expire(t testing.TB, db *database.DB) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "UPDATE saga SET due_at = created_at WHERE due_at IS NOT NULL"); err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 10s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// testLog shows what workers say when the test is run with TRELLIS_TEST_LOG.
func testLog() *slog.Logger {
	if os.Getenv("TRELLIS_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.Default()
}
