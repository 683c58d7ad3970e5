package twophase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/twophase"
)

// conformance checks what a coordinator promises; open gives a new database with the tables in it.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, db *database.DB){
		"all vote yes and all commit":                              allYes,
		"a commit begins at once":                                  beginsAtOnce,
		"a rollback begins nothing":                                rollbackBeginsNothing,
		"one votes no and all abort":                               oneNo,
		"why it aborts is known to Decided":                        causeIsKnown,
		"one does not answer and all abort":                        oneHangs,
		"a vote is asked for again while there is time":            askedAgain,
		"nobody is told before the decision is durable":            durableFirst,
		"a commit that cannot be told is told again, never undone": toldForEver,
		"an abort that cannot be told is told again":               abortToldAgain,
		"Decided that fails undoes the decision":                   decidedFails,
		"Decided that goes on failing aborts in the end":           decidedNever,
		"a crash at each point":                                    crashAtEachPoint,
		"the same id is the same transaction":                      sameID,
		"some participants alone":                                  someAlone,
		"a participant that is gone is waited for":                 participantGone,
		"an unknown transaction is aborted by the question":        unknownIsAborted,
		"a question while votes are cast is not answered":          undecided,
		"a question after the time to vote aborts for good":        lateQuestion,
		"several workers":                                          severalWorkers,
		"a stop hands over":                                        stopHandsOver,
		"metrics tell how transactions are":                        metricsTell,
		"calls are in the trace of the request":                    tracesGoOn,
		"finished transactions are deleted after their retention":  retention,
		"random votes, failures and crashes end alike everywhere":  alike,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, twophase.Migrations()) })
}

func openURL(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := database.Migrate(context.Background(), db, twophase.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}

var errMade = errors.New("made by the test")

type cart struct{ Items int }

// party is a participant that keeps what it is told, as Participant asks of it. It fails as the test says.
type party struct {
	mu    sync.Mutex
	state map[string]string // by transaction: prepared, committed, aborted
	calls map[string]int    // by phase
	fault []string          // what no coordinator may do
	fail  func(txn, phase string, call int) failure
}

// failure is what goes wrong in a call, before or after its effect.
type failure struct {
	before, after func(ctx context.Context) error
}

func (p *party) act(ctx context.Context, txn, phase string, effect func(was string) (string, error)) error {
	p.mu.Lock()
	p.calls[phase]++
	var f failure
	if p.fail != nil {
		f = p.fail(txn, phase, p.calls[phase])
	}
	p.mu.Unlock()
	if f.before != nil {
		if err := f.before(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	is, err := effect(p.state[txn])
	p.state[txn] = is
	p.mu.Unlock()
	if err == nil && f.after != nil {
		err = f.after(ctx)
	}
	return err
}

func (p *party) Prepare(ctx context.Context, txn string, _ cart) error {
	return p.act(ctx, txn, "prepare", func(was string) (string, error) {
		switch was {
		case "aborted":
			return was, twophase.Refused(twophase.ErrAborted)
		case "committed":
			return was, nil
		}
		return "prepared", nil
	})
}

func (p *party) Commit(ctx context.Context, txn string) error {
	return p.act(ctx, txn, "commit", func(was string) (string, error) {
		if was != "prepared" && was != "committed" {
			p.fault = append(p.fault, fmt.Sprintf("commit of %s, which is %q", txn, was))
		}
		return "committed", nil
	})
}

func (p *party) Abort(ctx context.Context, txn string) error {
	return p.act(ctx, txn, "abort", func(was string) (string, error) {
		if was == "committed" {
			p.fault = append(p.fault, "abort of "+txn+", which is committed")
		}
		return "aborted", nil
	})
}

func (p *party) count(phase string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[phase]
}

// at has f happen in a phase at every call whose number is among calls; without any, at all calls.
func (p *party) at(phase string, f failure, calls ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = func(_, at string, call int) failure {
		if at == phase && (len(calls) == 0 || slices.Contains(calls, call)) {
			return f
		}
		return failure{}
	}
}

func (p *party) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = nil
}

func failing(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// crash ends the goroutine as a crash would: nothing after it runs, and nobody is told.
func crash(context.Context) error {
	runtime.Goexit()
	return nil
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// shop is a coordinator with three parties and a table of decisions.
type shop struct {
	*twophase.Coordinator[cart]
	db      *database.DB
	parties map[string]*party
}

var partyNames = []string{"inventory", "payments", "shipping"}

func newParties() map[string]*party {
	parties := map[string]*party{}
	for _, name := range partyNames {
		parties[name] = &party{state: map[string]string{}, calls: map[string]int{}}
	}
	return parties
}

// decisionsTable has what Decided writes.
const decisionsTable = "CREATE TABLE IF NOT EXISTS decisions (id TEXT NOT NULL, decision TEXT NOT NULL)"

func writeDecision(ctx context.Context, tx bun.Tx, id string, _ cart, decision twophase.Decision) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO decisions (id, decision) VALUES (?, ?)", id, string(decision))
	return err
}

func newShop(t testing.TB, db *database.DB, decided twophase.Decided[cart], change ...func(*twophase.Options)) *shop {
	t.Helper()
	return newShopOf(t, db, newParties(), decided, change...)
}

func newShopOf(t testing.TB, db *database.DB, parties map[string]*party, decided twophase.Decided[cart], change ...func(*twophase.Options)) *shop {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), decisionsTable); err != nil {
		t.Fatal(err)
	}
	opt := twophase.Options{
		Poll: 10 * time.Millisecond, Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, Log: testLog(),
	}
	for _, c := range change {
		c(&opt)
	}
	participants := map[string]twophase.Participant[cart]{}
	for name, p := range parties {
		participants[name] = p
	}
	if decided == nil {
		decided = writeDecision
	}
	c, err := twophase.New(db, "checkout", participants, decided, opt)
	if err != nil {
		t.Fatal(err)
	}
	return &shop{c, db, parties}
}

// run has the worker work until the test ends or stop is called.
func (s *shop) run(t testing.TB) (stop func()) {
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

func (s *shop) begin(t testing.TB, id string, participants ...string) {
	t.Helper()
	err := s.db.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error {
		return s.Begin(ctx, tx, id, cart{Items: 1}, participants...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shop) get(t testing.TB, id string) twophase.Transaction {
	t.Helper()
	txn, err := s.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return txn
}

// ended waits until the transaction has ended and wants that state, at all parties and in the decisions too.
func (s *shop) ended(t testing.TB, id string, want twophase.State) twophase.Transaction {
	t.Helper()
	var txn twophase.Transaction
	eventually(t, "transaction "+id+" has ended", func() bool {
		txn = s.get(t, id)
		return !txn.FinishedAt.IsZero()
	})
	if txn.State != want || len(txn.Pending) != 0 || txn.DecidedAt.IsZero() {
		t.Errorf("%s: got %+v, want it %s", id, txn, want)
	}
	s.audit(t, txn)
	return txn
}

// audit compares what the parties and Decided have with the outcome.
func (s *shop) audit(t testing.TB, txn twophase.Transaction) {
	t.Helper()
	decision := twophase.Commit
	if txn.State == twophase.Aborted {
		decision = twophase.Abort
	}
	for name, p := range s.parties {
		p.mu.Lock()
		if got := p.state["checkout/"+txn.ID]; slices.Contains(txn.Members, name) && got != string(txn.State) {
			t.Errorf("%s: %s has it %q, the coordinator %s", txn.ID, name, got, txn.State)
		}
		if len(p.fault) > 0 {
			t.Errorf("%s was told: %q", name, p.fault)
		}
		p.mu.Unlock()
	}
	var decisions []string
	if err := s.db.NewSelect().Table("decisions").Column("decision").Where("id = ?", txn.ID).Scan(context.Background(), &decisions); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(decisions, []string{string(decision)}) {
		t.Errorf("%s: Decided wrote %q, want %s once", txn.ID, decisions, decision)
	}
}

// expire ends the leases, as if the time had passed.
func expire(t testing.TB, db *database.DB) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "UPDATE twophase SET due_at = created_at WHERE due_at IS NOT NULL"); err != nil {
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
