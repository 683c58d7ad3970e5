package saga_test

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/saga"
	"github.com/trellis-mesh/trellis/test/soak"
)

// The crash test has two processes start sagas, one with each order, and carry them out, and kills them again and again. In the
// end every order must have been closed once, with all the effects or none.
//
// The processes are this test binary, started again with childEnv set: only a process can be killed as a process is.
const childEnv = "TRELLIS_TEST_SAGA"

// child is what a child process is told.
type child struct {
	URL    string
	Name   string // begins the ids of its orders
	Die    string // "before", "after" an effect, or in "done", the process kills itself; "" leaves that to the parent
	Effect int    // which effect, of those here
	Drain  bool   // start nothing, bring all sagas to their end and exit
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
	db, err := database.Open(ctx, c.URL, database.Options{})
	if err != nil {
		return err
	}
	retry := saga.Retry{Attempts: 3, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}
	s, err := saga.New(db, c.definition(db), saga.Options{
		Poll: 20 * time.Millisecond, Lease: 500 * time.Millisecond, Retry: retry, Insist: retry, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- s.Run(ctx) }()
	go func() {
		if c.Drain {
			failed <- drain(ctx, s)
		} else {
			failed <- placeOrders(ctx, db, s, c.Name)
		}
	}()
	return <-failed
}

// definition has three steps, the second a pivot, whose effects are rows; a quarter of their attempts fails.
func (c child) definition(db *database.DB) saga.Definition[trip] {
	var mu sync.Mutex
	effects := 0
	act := func(ctx context.Context, _ *trip) error {
		mu.Lock()
		effects++
		mine := effects >= c.Effect
		mu.Unlock()
		draw := rand.IntN(16)
		if draw == 0 {
			return errors.New("unreachable")
		}
		if draw == 1 && saga.Key(ctx) == saga.DoKey(ctx) {
			return saga.Permanent(errors.New("broken"))
		}
		if mine && c.Die == "before" {
			die()
		}
		if err := effect(ctx, db); err != nil {
			return err
		}
		if mine && c.Die == "after" {
			die()
		}
		if draw == 2 {
			return errors.New("the answer was lost")
		}
		return nil
	}
	return saga.Definition[trip]{
		Name: "orders",
		Steps: []saga.Step[trip]{
			{Name: "reserve", Do: act, Undo: act}, {Name: "pay", Do: act, Undo: act, Pivot: true}, {Name: "ship", Do: act, Undo: act},
		},
		Done: func(ctx context.Context, tx bun.Tx, id string, _ trip, outcome saga.State) error {
			_, err := tx.ExecContext(ctx, "UPDATE orders SET state = ?, closings = closings + 1 WHERE id = ?", string(outcome), id)
			mu.Lock()
			defer mu.Unlock()
			if c.Die == "done" && effects >= c.Effect {
				die()
			}
			return err
		},
	}
}

// effect is the callee: a row for each Do, live until it is undone; once undone it is done no more.
func effect(ctx context.Context, db *database.DB) error {
	live := saga.Key(ctx) == saga.DoKey(ctx)
	return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		query := "INSERT INTO effects (id, live) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET live = FALSE"
		if live {
			query = "INSERT INTO effects (id, live) VALUES (?, ?) ON CONFLICT DO NOTHING"
		}
		if _, err := tx.ExecContext(ctx, query, saga.DoKey(ctx), live); err != nil || !live {
			return err
		}
		var still bool
		if err := tx.NewSelect().Table("effects").Column("live").Where("id = ?", saga.DoKey(ctx)).Scan(ctx, &still); err != nil {
			return err
		}
		if !still {
			return saga.Refused(errors.New("it was undone already"))
		}
		return nil
	})
}

// placeOrders commits one order with its saga after the other, until the process is killed.
func placeOrders(ctx context.Context, db *database.DB, s *saga.Saga[trip], name string) error {
	for n := 0; ; n++ {
		id := fmt.Sprint(name, "-", n)
		err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO orders (id, state, closings) VALUES (?, 'open', 0)", id); err != nil {
				return err
			}
			return s.Start(ctx, tx, id, trip{})
		})
		if database.Away(err) { // the other process had the one writer of SQLite for too long: a client would ask again
			continue
		}
		if err != nil {
			return err
		}
		fmt.Println("committed")           // the parent counts the lines
		<-time.After(5 * time.Millisecond) // leave the workers a turn
	}
}

func drain(ctx context.Context, s *saga.Saga[trip]) error {
	for {
		left := 0
		for _, state := range []saga.State{saga.Running, saga.Compensating, saga.Parked} {
			list, err := s.List(ctx, state, 0)
			if err != nil {
				return err
			}
			left += len(list)
			for _, i := range list {
				if state != saga.Parked {
					continue
				}
				if err := s.Resume(ctx, i.ID); err != nil && !database.Away(err) {
					return err
				}
			}
		}
		if left == 0 {
			return nil
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestEffectsBalanceWhenProcessesAreKilled(t *testing.T) {
	killed(t, "sqlite://"+filepath.Join(t.TempDir(), "orders.db"), 4)
}

// killed runs the rounds: each has two processes, of which one is killed at a point of its work, the other at random.
func killed(t *testing.T, url string, everyday int) {
	t.Helper()
	rounds := soak.Rounds(t, everyday)
	rand := soak.Rand(t)
	db := openURL(t, url)
	for _, statement := range []string{
		"CREATE TABLE orders (id TEXT PRIMARY KEY, state TEXT NOT NULL, closings INT NOT NULL)",
		"CREATE TABLE effects (id TEXT PRIMARY KEY, live BOOLEAN NOT NULL)",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for round := range rounds {
		doomed := spawn(t, child{
			URL: url, Name: fmt.Sprint(round, "-doomed"), Die: []string{"before", "after", "done"}[round%3], Effect: 1 + rand.IntN(40),
		})
		other := spawn(t, child{URL: url, Name: fmt.Sprint(round, "-other")})
		doomed.awaitDeath(t)
		other.awaitCommits(t, 1+rand.IntN(10))
		if err := other.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		other.awaitDeath(t)
	}
	last := spawn(t, child{URL: url, Drain: true})
	if err := last.wait(); err != nil {
		t.Fatalf("the last process does not end: %v: %s", err, last.output)
	}
	auditOrders(t, db, rounds)
}

func auditOrders(t *testing.T, db *database.DB, rounds int) {
	t.Helper()
	var orders []struct {
		ID, State string
		Closings  int
	}
	if err := db.NewSelect().Table("orders").Scan(t.Context(), &orders); err != nil {
		t.Fatal(err)
	}
	var live []string
	if err := db.NewSelect().Table("effects").Column("id").Where("live").OrderExpr("id").Scan(t.Context(), &live); err != nil {
		t.Fatal(err)
	}
	effects := map[string][]string{}
	for _, key := range live {
		words := strings.Split(key, "/")
		effects[words[1]] = append(effects[words[1]], words[2])
	}
	ended := map[string]int{}
	for _, o := range orders {
		ended[o.State]++
		want := []string(nil)
		if o.State == "completed" {
			want = []string{"pay", "reserve", "ship"}
		}
		if o.State == "open" || o.Closings != 1 || !slices.Equal(effects[o.ID], want) {
			t.Errorf("order %+v has the effects %q", o, effects[o.ID])
		}
	}
	if len(orders) == 0 {
		t.Error("no order was ever committed")
	}
	t.Logf("%d crashes, %d orders: %v", 2*rounds, len(orders), ended)
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
