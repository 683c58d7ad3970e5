package twophase_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/test/soak"
)

func allYes(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	s.run(t)
	s.begin(t, "1")
	txn := s.ended(t, "1", twophase.Committed)
	if !slices.Equal(txn.Members, partyNames) || txn.Cause != "" {
		t.Errorf("got %+v", txn)
	}
	for name, p := range s.parties {
		if p.count("prepare") != 1 || p.count("commit") != 1 || p.count("abort") != 0 {
			t.Errorf("%s was called: %v", name, p.calls)
		}
	}
}

func beginsAtOnce(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil, func(o *twophase.Options) { o.Poll = time.Hour })
	s.run(t)
	for _, id := range []string{"1", "2", "3"} { // the first may meet the worker before it sleeps, the others wake it
		s.begin(t, id)
		s.ended(t, id, twophase.Committed)
	}
}

func rollbackBeginsNothing(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		return errors.Join(s.Begin(ctx, tx, "1", cart{}), errMade)
	})
	if err == nil || err.Error() != errMade.Error() {
		t.Fatal(err)
	}
	s.run(t)
	s.begin(t, "2")
	s.ended(t, "2", twophase.Committed)
	if _, err := s.Get(t.Context(), "1"); !errors.Is(err, twophase.ErrNotFound) || s.parties["inventory"].count("prepare") != 1 {
		t.Errorf("got %v", err)
	}
}

func oneNo(t *testing.T, db *database.DB) {
	for _, name := range partyNames {
		s := newShop(t, db, nil)
		s.parties[name].at("prepare", failure{before: failing(twophase.Refused(errMade))})
		stop := s.run(t)
		s.begin(t, name)
		if txn := s.ended(t, name, twophase.Aborted); !strings.Contains(txn.Cause, name+": "+errMade.Error()) {
			t.Errorf("cause: %s", txn.Cause)
		}
		stop()
	}
}

func causeIsKnown(t *testing.T, db *database.DB) {
	causes := make(chan string, 2)
	s := newShop(t, db, func(ctx context.Context, tx bun.Tx, id string, data cart, decision twophase.Decision) error {
		causes <- fmt.Sprint(id, decision, " ", twophase.Cause(ctx))
		return writeDecision(ctx, tx, id, data, decision)
	})
	s.run(t)
	s.begin(t, "1")
	s.ended(t, "1", twophase.Committed)
	s.parties["payments"].at("prepare", failure{before: failing(twophase.Refused(errMade))})
	s.begin(t, "2")
	s.ended(t, "2", twophase.Aborted)
	for _, want := range []string{"1commit ", "2abort payments: " + errMade.Error()} {
		if got := <-causes; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func oneHangs(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil, func(o *twophase.Options) { o.Prepare = 300 * time.Millisecond })
	s.parties["payments"].at("prepare", failure{after: hang})
	s.run(t)
	s.begin(t, "1")
	if txn := s.ended(t, "1", twophase.Aborted); !strings.Contains(txn.Cause, "within 300ms") {
		t.Errorf("cause: %s", txn.Cause)
	}
}

func askedAgain(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	s.parties["payments"].at("prepare", failure{after: failing(errMade)}, 1, 2)
	s.parties["shipping"].at("prepare", failure{before: func(context.Context) error { panic("made by the test") }}, 1)
	s.run(t)
	s.begin(t, "1")
	s.ended(t, "1", twophase.Committed)
}

func durableFirst(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	for _, phase := range []string{"commit", "abort"} {
		var seen atomic.Value
		s.parties["inventory"].at(phase, failure{before: func(ctx context.Context) error {
			txn, err := s.Get(ctx, phase)
			seen.Store(fmt.Sprint(txn.State, txn.DecidedAt.IsZero()))
			return err
		}})
		if phase == "abort" {
			s.parties["payments"].at("prepare", failure{before: failing(twophase.Refused(errMade))})
		}
		stop := s.run(t)
		s.begin(t, phase)
		state := map[string]twophase.State{"commit": twophase.Committed, "abort": twophase.Aborted}[phase]
		s.ended(t, phase, state)
		stop()
		if want := map[string]string{"commit": "committingfalse", "abort": "abortingfalse"}[phase]; seen.Load() != want {
			t.Errorf("when told to %s, the log has %v", phase, seen.Load())
		}
	}
}

func toldForEver(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil, func(o *twophase.Options) { o.Prepare = 500 * time.Millisecond })
	s.parties["payments"].at("commit", failure{before: failing(errMade)})
	s.parties["shipping"].at("commit", failure{after: failing(twophase.Refused(errMade))}) // there is nothing to refuse any more
	s.run(t)
	s.begin(t, "1")
	eventually(t, "it was told often", func() bool {
		return s.parties["payments"].count("commit") > 20 && s.parties["shipping"].count("commit") > 20
	})
	eventually(t, "the time to vote is over", func() bool { return time.Since(s.get(t, "1").CreatedAt) > 600*time.Millisecond })
	txn := s.get(t, "1")
	if txn.State != twophase.Committing || !slices.Equal(txn.Pending, []string{"payments", "shipping"}) {
		t.Errorf("got %+v", txn)
	}
	if decision, err := s.Decision(t.Context(), "checkout/1"); decision != twophase.Commit || err != nil {
		t.Errorf("decision %s, %v", decision, err)
	}
	if n := s.parties["inventory"].count("commit"); n != 1 {
		t.Errorf("who confirmed was told %d times", n)
	}
	s.parties["payments"].mend()
	s.parties["shipping"].mend()
	s.ended(t, "1", twophase.Committed)
}

func abortToldAgain(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	s.parties["inventory"].at("prepare", failure{before: failing(twophase.Refused(errMade))})
	s.parties["shipping"].at("abort", failure{before: failing(errMade)}, 1, 2, 3)
	s.run(t)
	s.begin(t, "1")
	s.ended(t, "1", twophase.Aborted)
}

func decidedFails(t *testing.T, db *database.DB) {
	var calls atomic.Int64
	decided := func(ctx context.Context, tx bun.Tx, id string, data cart, decision twophase.Decision) error {
		if err := writeDecision(ctx, tx, id, data, decision); err != nil {
			return err
		}
		switch calls.Add(1) {
		case 1:
			return errMade
		case 2:
			panic("made by the test")
		}
		if data.Items != 1 {
			return fmt.Errorf("the data are %+v", data)
		}
		return nil
	}
	s := newShop(t, db, decided)
	s.run(t)
	s.begin(t, "1")
	s.ended(t, "1", twophase.Committed)
}

func decidedNever(t *testing.T, db *database.DB) {
	decided := func(ctx context.Context, tx bun.Tx, id string, data cart, decision twophase.Decision) error {
		if decision == twophase.Commit {
			return errMade
		}
		return writeDecision(ctx, tx, id, data, decision)
	}
	s := newShop(t, db, decided, func(o *twophase.Options) { o.Prepare = 300 * time.Millisecond })
	s.run(t)
	s.begin(t, "1")
	s.ended(t, "1", twophase.Aborted)
}

// crashAtEachPoint has the worker's goroutine end in Decided, and before and after each call of a participant.
func crashAtEachPoint(t *testing.T, db *database.DB) {
	n := 0
	for _, state := range []twophase.State{twophase.Committed, twophase.Aborted} {
		phases := map[twophase.State][]string{twophase.Committed: {"prepare", "decide", "commit"}, twophase.Aborted: {"prepare", "decide", "abort"}}
		for _, phase := range phases[state] {
			for _, after := range []bool{false, true} {
				n++
				var died atomic.Bool
				once := func(ctx context.Context) error {
					if died.CompareAndSwap(false, true) {
						return crash(ctx)
					}
					return nil
				}
				s := newShop(t, db, func(ctx context.Context, tx bun.Tx, id string, data cart, decision twophase.Decision) error {
					if phase == "decide" && !after {
						_ = once(ctx)
					}
					err := writeDecision(ctx, tx, id, data, decision)
					if phase == "decide" && after {
						_ = once(ctx)
					}
					return err
				})
				if after {
					s.parties["payments"].at(phase, failure{after: once})
				} else {
					s.parties["payments"].at(phase, failure{before: once})
				}
				if state == twophase.Aborted {
					s.parties["shipping"].at("prepare", failure{before: failing(twophase.Refused(errMade))})
				}
				stop := s.run(t)
				id := fmt.Sprint(n)
				s.begin(t, id)
				eventually(t, "the worker died", died.Load)
				expire(t, db)
				s.ended(t, id, state)
				stop()
			}
		}
	}
}

func sameID(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	s.begin(t, "1")
	s.begin(t, "1")
	s.run(t)
	s.ended(t, "1", twophase.Committed)
	s.begin(t, "1")
	s.begin(t, "2")
	s.ended(t, "2", twophase.Committed)
	if n := s.parties["inventory"].count("prepare"); n != 2 {
		t.Errorf("%d prepared, want 2", n)
	}
	for name, err := range map[string]error{
		"without id":          s.Begin(t.Context(), db, "", cart{}),
		"unknown participant": s.Begin(t.Context(), db, "3", cart{}, "inventory", "nobody"),
	} {
		if err == nil {
			t.Errorf("%s: it was begun", name)
		}
	}
}

func someAlone(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	s.run(t)
	s.begin(t, "1", "inventory", "shipping")
	s.ended(t, "1", twophase.Committed)
	if n := s.parties["payments"].count("prepare"); n != 0 {
		t.Errorf("payments was asked %d times", n)
	}
}

// participantGone has a version of the service that lost a participant while a decision was to be told.
func participantGone(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	s.parties["payments"].at("commit", failure{before: failing(errMade)})
	stop := s.run(t)
	s.begin(t, "1")
	eventually(t, "it is decided", func() bool { return s.get(t, "1").State == twophase.Committing })
	stop()
	fewer := newShopOf(t, db, map[string]*party{"inventory": s.parties["inventory"], "shipping": s.parties["shipping"]}, nil)
	stop = fewer.run(t)
	eventually(t, "it says so", func() bool { return strings.Contains(s.get(t, "1").LastError, "not known any more") })
	stop()
	s.parties["payments"].mend()
	s.run(t)
	s.ended(t, "1", twophase.Committed)
}

func unknownIsAborted(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil)
	for range 2 {
		if decision, err := s.Decision(t.Context(), "checkout/1"); decision != twophase.Abort || err != nil {
			t.Fatalf("decision %s, %v", decision, err)
		}
	}
	if err := s.Begin(t.Context(), db, "1", cart{}); !errors.Is(err, twophase.ErrAborted) {
		t.Errorf("Begin after it was answered: %v", err)
	}
	s.run(t)
	s.begin(t, "2")
	s.ended(t, "2", twophase.Committed)
	if n := s.parties["inventory"].count("prepare"); n != 1 {
		t.Errorf("%d were prepared, want 1", n)
	}
	for _, txn := range []string{"other/1", "checkout", "checkout/"} {
		if _, err := s.Decision(t.Context(), txn); !errors.Is(err, twophase.ErrNotFound) {
			t.Errorf("%s: %v", txn, err)
		}
	}
}

func undecided(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil, func(o *twophase.Options) { o.Prepare = time.Hour })
	entered, leave := make(chan struct{}), make(chan struct{})
	s.parties["payments"].at("prepare", failure{after: func(context.Context) error {
		close(entered)
		<-leave
		return nil
	}})
	s.run(t)
	s.begin(t, "1")
	<-entered
	if decision, err := s.Decision(t.Context(), "checkout/1"); decision != twophase.Undecided || err != nil {
		t.Errorf("decision %s, %v", decision, err)
	}
	close(leave)
	s.ended(t, "1", twophase.Committed)
	if decision, err := s.Decision(t.Context(), "checkout/1"); decision != twophase.Commit || err != nil {
		t.Errorf("decision %s, %v", decision, err)
	}
}

// lateQuestion asks when the time is over while the coordinator still collects votes, which all turn out to be yes, by a clock
// that stands still for it.
func lateQuestion(t *testing.T, db *database.DB) {
	s := newShop(t, db, nil, func(o *twophase.Options) { o.Prepare = time.Hour })
	late := newShopOf(t, db, s.parties, nil, func(o *twophase.Options) {
		o.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	})
	entered, leave := make(chan struct{}), make(chan struct{})
	s.parties["payments"].at("prepare", failure{after: func(context.Context) error {
		close(entered)
		<-leave
		return nil
	}})
	s.run(t)
	s.begin(t, "1")
	<-entered
	if decision, err := late.Decision(t.Context(), "checkout/1"); decision != twophase.Abort || err != nil {
		t.Errorf("decision %s, %v", decision, err)
	}
	close(leave)
	s.ended(t, "1", twophase.Aborted)
}

func severalWorkers(t *testing.T, db *database.DB) {
	const n = 20
	s := newShop(t, db, nil)
	for i := range n {
		s.begin(t, fmt.Sprint(i))
	}
	for range 3 {
		newShopOf(t, db, s.parties, nil, func(o *twophase.Options) { o.Workers = 2 }).run(t)
	}
	for i := range n {
		s.ended(t, fmt.Sprint(i), twophase.Committed)
	}
	for name, p := range s.parties {
		if p.count("prepare") != n || p.count("commit") != n {
			t.Errorf("%s: %d prepared and %d committed, want each of %d once", name, p.count("prepare"), p.count("commit"), n)
		}
	}
}

func stopHandsOver(t *testing.T, db *database.DB) {
	patient := func(o *twophase.Options) {
		o.Lease, o.Timeout, o.Prepare, o.Drain = time.Hour, time.Hour, time.Hour, 10*time.Millisecond
	}
	for _, phase := range []string{"prepare", "commit"} {
		s := newShop(t, db, nil, patient)
		s.parties["payments"].at(phase, failure{after: hang}, 1)
		stop := s.run(t)
		s.begin(t, phase)
		eventually(t, "a call hangs", func() bool { return s.parties["payments"].count(phase) == 1 })
		stop()
		stop = newShopOf(t, db, s.parties, nil, patient).run(t) // takes over at once: the lease would last an hour
		s.ended(t, phase, twophase.Committed)
		stop()
	}
}

func metricsTell(t *testing.T, db *database.DB) {
	registry := prometheus.NewRegistry()
	s := newShop(t, db, nil, func(o *twophase.Options) { o.Registry = registry })
	s.parties["payments"].fail = func(txn, phase string, _ int) failure {
		switch {
		case txn == "checkout/refused" && phase == "prepare":
			return failure{before: failing(twophase.Refused(errMade))}
		case txn == "checkout/stuck" && phase == "commit":
			return failure{before: failing(errMade)}
		}
		return failure{}
	}
	stop := s.run(t)
	s.begin(t, "good")
	s.ended(t, "good", twophase.Committed)
	s.begin(t, "refused")
	s.ended(t, "refused", twophase.Aborted)
	s.begin(t, "stuck")
	eventually(t, "it is decided", func() bool { return s.get(t, "stuck").State == twophase.Committing })
	stop()
	s.begin(t, "new")
	if err := twophase.Measure(t.Context(), s.Coordinator); err != nil {
		t.Fatal(err)
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
		# HELP twophase_decisions_total Decisions made by this process: commit, abort.
		# TYPE twophase_decisions_total counter
		twophase_decisions_total{coordinator="checkout",decision="abort"} 1
		twophase_decisions_total{coordinator="checkout",decision="commit"} 2
		# HELP twophase_transactions Transactions that are not finished, by state: preparing, committing, aborting.
		# TYPE twophase_transactions gauge
		twophase_transactions{coordinator="checkout",state="aborting"} 0
		twophase_transactions{coordinator="checkout",state="committing"} 1
		twophase_transactions{coordinator="checkout",state="preparing"} 1
	`), "twophase_decisions_total", "twophase_transactions")
	if err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "twophase_untold_age_seconds" && f.GetMetric()[0].GetGauge().GetValue() <= 0 {
			t.Error("the age of the decision that cannot be told is 0")
		}
	}
}

func tracesGoOn(t *testing.T, db *database.DB) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	s := newShop(t, db, nil, func(o *twophase.Options) { o.Tracer = provider })
	ctx, span := provider.Tracer("test").Start(t.Context(), "request")
	err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return s.Begin(ctx, tx, "1", cart{Items: 1}, "payments") })
	if err != nil {
		t.Fatal(err)
	}
	span.End()
	stop := s.run(t)
	s.ended(t, "1", twophase.Committed)
	stop()
	var names []string
	for _, ended := range spans.Ended() {
		if ended.Parent().SpanID() == span.SpanContext().SpanID() {
			names = append(names, ended.Name())
		}
	}
	if want := []string{"twophase checkout: prepare payments", "twophase checkout: commit payments"}; !slices.Equal(names, want) {
		t.Errorf("spans of the request: %q, want %q", names, want)
	}
}

func retention(t *testing.T, db *database.DB) {
	var day atomic.Int64
	s := newShop(t, db, nil, func(o *twophase.Options) {
		o.Retention = 24 * time.Hour
		o.Now = func() time.Time { return time.Date(2026, 1, 1+int(day.Load()), 0, 0, 0, 0, time.UTC) }
	})
	stop := s.run(t)
	s.begin(t, "old")
	s.ended(t, "old", twophase.Committed)
	stop()
	s.begin(t, "waiting")
	day.Store(2)
	if err := twophase.Clean(t.Context(), s.Coordinator); err != nil {
		t.Fatal(err)
	}
	var ids []string
	if err := db.NewSelect().Table("twophase").Column("id").Scan(t.Context(), &ids); err != nil || !slices.Equal(ids, []string{"waiting"}) {
		t.Errorf("kept %q, %v", ids, err)
	}
}

// alike has two workers bring transactions to their end while calls fail at random, goroutines die and questions are asked.
func alike(t *testing.T, db *database.DB) {
	rand := soak.Rand(t)
	for round := range soak.Rounds(t, 2) {
		short := func(o *twophase.Options) {
			o.Lease, o.Prepare, o.Timeout = 300*time.Millisecond, time.Second, 100*time.Millisecond
		}
		s := newShop(t, db, nil, short)
		for name, p := range s.parties {
			p.fail = fate(rand.Uint64(), name)
		}
		stop := []func(){s.run(t), newShopOf(t, db, s.parties, nil, short).run(t)}
		ids := make([]string, 15)
		for i := range ids {
			ids[i] = fmt.Sprint(round, "-", i)
			s.begin(t, ids[i])
		}
		for _, id := range ids {
			answer, err := s.Decision(t.Context(), "checkout/"+id)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "it has ended", func() bool { return !s.get(t, id).FinishedAt.IsZero() })
			txn := s.get(t, id)
			s.audit(t, txn)
			if now, err := s.Decision(t.Context(), "checkout/"+id); err != nil || answer != twophase.Undecided && answer != now {
				t.Errorf("%s: answered %s and then %s, %v", id, answer, now, err)
			}
		}
		for _, fn := range stop {
			fn()
		}
	}
}

// fate draws what happens in a call; the same seed gives the same.
func fate(seed uint64, name string) func(txn, phase string, call int) failure {
	return func(txn, phase string, call int) failure {
		hash := fnv.New64a()
		_, _ = fmt.Fprint(hash, seed, name, txn, phase, call)
		switch draw := hash.Sum64() >> 20 % 100; {
		case draw < 6:
			return failure{before: failing(errMade)}
		case draw < 12:
			return failure{after: failing(errMade)}
		case draw < 18 && phase == "prepare":
			return failure{before: failing(twophase.Refused(errMade))}
		case draw < 22:
			return failure{before: crash}
		case draw < 26:
			return failure{after: crash}
		case draw < 28:
			return failure{before: hang}
		case draw < 30:
			return failure{after: hang}
		}
		return failure{}
	}
}
