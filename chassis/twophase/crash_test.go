package twophase_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/twophase"
	"github.com/trellis-mesh/trellis/test/soak"
)

// The crash test has two processes begin transactions, one with each order, and bring them to their end at three participants in
// databases of their own, and kills them again and again: the coordinator dies with the participants. In the end every order
// must have been decided once, and each participant must have done what was decided.
//
// The processes are this test binary, started again with childEnv set: only a process can be killed as a process is.
const childEnv = "TRELLIS_TEST_TWOPHASE"

// child is what a child process is told.
type child struct {
	Coordinator  string            // the URL of its database
	Participants map[string]string // and of theirs
	Name         string            // begins the ids of its orders
	Die          string            // "before" or "after" a call of a participant, or while "deciding", it kills itself; "" leaves that to the parent
	Call         int               // which one
	Drain        bool              // begin nothing, bring all to their end and exit
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Println("child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func runChild(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := database.Open(ctx, c.Coordinator, database.Options{})
	if err != nil {
		return err
	}
	var coordinator *twophase.Coordinator[cart]
	ask := func(ctx context.Context, txn string) (twophase.Decision, error) {
		return coordinator.Decision(ctx, txn)
	}
	participants := map[string]twophase.Participant[cart]{}
	var locals []*twophase.Local[cart]
	var calls atomic.Int64
	for name, url := range c.Participants {
		l, err := openParticipant(ctx, url, name, ask)
		if err != nil {
			return err
		}
		locals = append(locals, l)
		participants[name] = &mortal{l, &c, &calls}
	}
	decided := func(ctx context.Context, tx bun.Tx, id string, data cart, decision twophase.Decision) error {
		err := writeDecision(ctx, tx, id, data, decision)
		if c.Die == "deciding" && calls.Load() >= int64(c.Call) {
			die()
		}
		return err
	}
	coordinator, err = twophase.New(db, "checkout", participants, decided, twophase.Options{
		Poll: 20 * time.Millisecond, Lease: 500 * time.Millisecond, Prepare: 2 * time.Second, Timeout: time.Second,
		Backoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	failed := make(chan error, 2+len(locals))
	go func() { failed <- coordinator.Run(ctx) }()
	for _, l := range locals {
		go func() { failed <- l.Run(ctx) }()
	}
	go func() {
		if c.Drain {
			failed <- drain(ctx, coordinator, locals)
		} else {
			failed <- placeOrders(ctx, db, coordinator, c.Name)
		}
	}()
	return <-failed
}

// openParticipant gives one that refuses one in sixteen. On PostgreSQL inventory and shipping prepare transactions.
func openParticipant(ctx context.Context, url, name string, ask twophase.Ask) (*twophase.Local[cart], error) {
	db, err := database.Open(ctx, url, database.Options{})
	if err != nil {
		return nil, err
	}
	refuse := func(string) error {
		switch rand.IntN(16) {
		case 0:
			return twophase.Refused(errMade)
		case 1:
			return errMade
		}
		return nil
	}
	if db.Kind() == database.Postgres && name != "payments" {
		return makePrepared(db, name, refuse, ask, localOptions())
	}
	return makeTentative(db, name, refuse, ask, localOptions())
}

// mortal is a participant whose process dies at a call of it, and of which some calls get no answer.
type mortal struct {
	*twophase.Local[cart]
	child *child
	calls *atomic.Int64
}

func (m *mortal) act(fn func() error) error {
	mine := m.calls.Add(1) >= int64(m.child.Call)
	if mine && m.child.Die == "before" {
		die()
	}
	err := fn()
	if mine && m.child.Die == "after" {
		die()
	}
	if err == nil && rand.IntN(16) == 0 {
		return errors.New("the answer was lost")
	}
	return err
}

func (m *mortal) Prepare(ctx context.Context, txn string, data cart) error {
	return m.act(func() error { return m.Local.Prepare(ctx, txn, data) })
}

func (m *mortal) Commit(ctx context.Context, txn string) error {
	return m.act(func() error { return m.Local.Commit(ctx, txn) })
}

func (m *mortal) Abort(ctx context.Context, txn string) error {
	return m.act(func() error { return m.Local.Abort(ctx, txn) })
}

// placeOrders commits one order with its transaction after the other, until the process is killed.
func placeOrders(ctx context.Context, db *database.DB, c *twophase.Coordinator[cart], name string) error {
	for n := 0; ; n++ {
		id := fmt.Sprint(name, "-", n)
		err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return c.Begin(ctx, tx, id, oneItem) })
		if database.Away(err) { // the other process had the one writer of SQLite for too long: a client would ask again
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println("committed")            // the parent counts the lines
		<-time.After(10 * time.Millisecond) // leave the workers a turn
	}
}

func drain(ctx context.Context, c *twophase.Coordinator[cart], locals []*twophase.Local[cart]) error {
	for {
		left := 0
		for _, state := range []twophase.State{twophase.Preparing, twophase.Committing, twophase.Aborting} {
			list, err := c.List(ctx, state, 0)
			if err != nil {
				return err
			}
			left += len(list)
		}
		var errs []error
		for _, l := range locals {
			errs = append(errs, l.Recover(ctx, 0))
		}
		if left == 0 {
			return errors.Join(errs...)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestOutcomesAgreeWhenProcessesAreKilled(t *testing.T) {
	dir := t.TempDir()
	killed(t, func(name string) string { return "sqlite://" + filepath.Join(dir, name+".db") }, 5)
}

// killed runs the rounds: each has two processes, of which one is killed at a point of its work, the other at random. It gives
// the participants' databases.
func killed(t *testing.T, url func(name string) string, everyday int) map[string]*database.DB {
	t.Helper()
	rounds := soak.Rounds(t, everyday)
	random := soak.Rand(t)
	c := child{Coordinator: url("checkout"), Participants: map[string]string{}}
	db := openURL(t, c.Coordinator)
	if _, err := db.ExecContext(t.Context(), decisionsTable); err != nil {
		t.Fatal(err)
	}
	databases := map[string]*database.DB{}
	for _, name := range partyNames {
		c.Participants[name] = url(name)
		databases[name] = openURL(t, c.Participants[name])
		if _, err := databases[name].ExecContext(t.Context(), effectsTable); err != nil {
			t.Fatal(err)
		}
	}
	for round := range rounds {
		first := c
		first.Name, first.Call = fmt.Sprint(round, "-doomed"), 1+random.IntN(60)
		first.Die = []string{"before", "after", "deciding"}[round%3]
		doomed := spawn(t, first)
		second := c
		second.Name = fmt.Sprint(round, "-other")
		other := spawn(t, second)
		doomed.awaitDeath(t)
		other.awaitCommits(t, 1+random.IntN(10))
		if err := other.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		other.awaitDeath(t)
	}
	c.Drain = true
	last := spawn(t, c)
	if err := last.wait(); err != nil {
		t.Fatalf("the last process does not end: %v: %s", err, last.output)
	}
	auditAll(t, db, databases, 2*rounds)
	return databases
}

// auditAll compares the coordinator's log, what Decided wrote and what the participants did.
func auditAll(t *testing.T, db *database.DB, databases map[string]*database.DB, crashes int) {
	t.Helper()
	var txns []struct{ ID, State string }
	if err := db.NewSelect().Table("twophase").Column("id", "state").Scan(t.Context(), &txns); err != nil {
		t.Fatal(err)
	}
	var decisions []struct{ ID, Decision string }
	if err := db.NewSelect().Table("decisions").Scan(t.Context(), &decisions); err != nil {
		t.Fatal(err)
	}
	decided := map[string][]string{}
	for _, d := range decisions {
		decided[d.ID] = append(decided[d.ID], d.Decision)
	}
	ended := map[string]int{}
	for _, txn := range txns {
		ended[txn.State]++
		want := map[string]string{"committed": "commit", "aborted": "abort"}[txn.State]
		if !slices.Equal(decided[txn.ID], []string{want}) {
			t.Errorf("transaction %+v was decided as %q", txn, decided[txn.ID])
		}
	}
	for name, db := range databases {
		var done []string
		if err := db.NewSelect().Table("effects").Column("txn").Where("state <> 'cancelled'").Scan(t.Context(), &done); err != nil {
			t.Fatal(err)
		}
		for _, txn := range txns {
			if slices.Contains(done, "checkout/"+txn.ID) != (txn.State == "committed") {
				t.Errorf("transaction %+v: at %s the effect is there: %v", txn, name, txn.State != "committed")
			}
		}
		var held int
		err := db.NewSelect().Table("effects").ColumnExpr("COUNT(*)").Where("state = 'held'").Scan(t.Context(), &held)
		if held > 0 || err != nil {
			t.Errorf("%s holds %d, %v", name, held, err)
		}
	}
	if ended["committed"] == 0 || ended["aborted"] == 0 {
		t.Error("there must be both outcomes")
	}
	t.Logf("%d crashes, %d transactions: %v", crashes, len(txns), ended)
}

// process is a running child.
type process struct {
	*exec.Cmd
	commits chan struct{}
	read    chan struct{}
	output  []string
}

func spawn(t *testing.T, c child) *process {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(os.Args[0]), commits: make(chan struct{}, 1<<16), read: make(chan struct{})}
	p.Env = append(os.Environ(), childEnv+"="+string(text))
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	go func() {
		defer close(p.read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "committed" {
				p.commits <- struct{}{}
			} else {
				p.output = append(p.output, lines.Text())
			}
		}
	}()
	return p
}

func (p *process) wait() error {
	select {
	case <-p.read:
	case <-time.After(time.Minute):
		_ = p.Process.Kill()
		<-p.read
		return errors.Join(errors.New("it did not end within a minute"), p.Wait())
	}
	return p.Wait()
}

func (p *process) awaitCommits(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-p.commits:
		case <-p.read:
			t.Fatalf("the process ended: %s", p.output)
		case <-time.After(time.Minute):
			t.Fatal("the process commits no orders")
		}
	}
}

// awaitDeath wants the process to die by a signal.
func (p *process) awaitDeath(t *testing.T) {
	t.Helper()
	if err := p.wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the process was not killed: %v: %s", err, p.output)
	}
}
