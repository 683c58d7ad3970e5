package eventstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/eventstore"
	"github.com/trellis-mesh/trellis/test/soak"
)

// The crash test has a service change accounts and project them, and kills it again and again. In the end each command that
// was answered has its event once, and the read model says what the events say.
//
// The service is this test binary, started again with childEnv set: only a process can be killed as a process is.
const childEnv = "TRELLIS_TEST_EVENTSTORE"

// child is what the child process is told.
type child struct {
	URL     string
	First   int  // number of the first command
	Handled int  // the handling of this event kills the process, between its effect and the checkpoint; 0: none
	Rebuild bool // begin a rebuild at the start
}

const crashAccounts = 4

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		fmt.Println("child:", runChild(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
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
	store, err := eventstore.New(db, accountTypes(), eventstore.Options{Log: quiet})
	if err != nil {
		return err
	}
	accounts, err := eventstore.NewRepository(store, crashAggregate)
	if err != nil {
		return err
	}
	p, err := eventstore.NewProjector(store, crashOptions, c.deadly())
	if err != nil {
		return err
	}
	if c.Rebuild {
		if _, err := p.Rebuild(ctx, "balances"); err != nil {
			return err
		}
	}
	failed := make(chan error, crashAccounts+1)
	go func() { failed <- p.Run(ctx) }()
	for w := range crashAccounts {
		go func() { failed <- deposits(ctx, db, store, accounts, w, c.First) }()
	}
	return <-failed
}

var (
	crashAggregate = eventstore.Aggregate[account]{
		Name: "account", Apply: apply, Attempts: 1000, Snapshot: eventstore.Snapshot[account]{Every: 5, Schema: 1},
	}
	crashOptions = eventstore.ProjectorOptions{Batch: 7, Poll: 5 * time.Millisecond, Grace: -1}
)

// deadly gives a projection that dies by SIGKILL while it handles the chosen event.
func (c child) deadly() eventstore.Projection {
	p := balances("balances")
	handle := p.Handle
	var n atomic.Int64
	p.Handle = func(ctx context.Context, tx eventstore.Tx, e eventstore.Recorded) error {
		err := handle(ctx, tx, e)
		if int(n.Add(1)) == c.Handled {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return err
	}
	return p
}

// deposits changes one account after the other, each command sent twice, until the process is killed. Every command is also
// written down in the same transaction, as a witness.
func deposits(ctx context.Context, db *database.DB, store *eventstore.Store, accounts *eventstore.Repository[account], w, first int) error {
	for n := first; ; n++ {
		id, command := fmt.Sprint((w+n)%crashAccounts), fmt.Sprintf("c-%d-%d", w, n)
		if _, err := store.AppendOnce(ctx, "open", accounts.Stream(id), eventstore.Any, opened{0}); err != nil {
			return err
		}
		for range 2 {
			err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
				commit, err := accounts.UpdateOnce(ctx, command, id, always(deposited{1}))
				if err != nil || commit.Repeated {
					return err
				}
				_, err = tx.ExecContext(ctx, "INSERT INTO witness VALUES (?, ?)", command, id)
				return err
			})
			if err != nil {
				return err
			}
		}
		fmt.Println("answered", command)
	}
}

func TestNothingIsLostWhenProcessesAreKilled(t *testing.T) {
	crash(t, "sqlite://"+filepath.Join(t.TempDir(), "accounts.db"), 6)
}

func crash(t *testing.T, url string, everyday int) {
	t.Helper()
	rounds := soak.Rounds(t, everyday)
	db := openURL(t, url)
	execute(t, db, balancesTable)
	execute(t, db, "CREATE TABLE witness (command TEXT PRIMARY KEY, id TEXT NOT NULL)")
	next := 0
	for round := range rounds {
		c := child{URL: url, First: next, Rebuild: round%4 == 3}
		if round%2 == 1 {
			c.Handled = 1 + rand.IntN(60)
		}
		next = max(next, kill(t, c, 20+rand.IntN(60)))
	}
	store := newStore(t, db)
	p := must[*eventstore.Projector](t)(eventstore.NewProjector(store, crashOptions, balances("balances")))
	eventually(t, "the projection has caught up", func() bool { // the server may still hold a dead process's locks
		catchUp(t, p)
		s := status(t, p)
		return len(s) == 1 && s[0].Live && s[0].Lag == 0
	})
	compare(t, db, store)
	t.Logf("%d crashes, %d commands, each once", rounds, count(t, db, "witness"))
}

// kill runs the service until it has answered some commands, or died by itself, and gives the number of the last answer.
func kill(t *testing.T, c child, answers int) (last int) {
	t.Helper()
	cmd := service(t, c)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var other []string
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		command, ok := strings.CutPrefix(lines.Text(), "answered ")
		if !ok {
			other = append(other, lines.Text())
			continue
		}
		n, err := strconv.Atoi(command[strings.LastIndex(command, "-")+1:])
		if err != nil {
			t.Fatal(err)
		}
		last = max(last, n)
		if seen++; seen == answers && c.Handled == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the service ended by itself: %v: %s", err, strings.Join(other, "\n"))
	}
	return last
}

func service(t *testing.T, c child) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	return cmd
}

// compare wants of each account as many deposits as the witness has commands, in its events, its state and its read model.
func compare(t *testing.T, db *database.DB, store *eventstore.Store) {
	t.Helper()
	accounts := must[*eventstore.Repository[account]](t)(eventstore.NewRepository(store, crashAggregate))
	model := readBalances(t, db, "balances")
	for n := range crashAccounts {
		id := fmt.Sprint(n)
		want := must[int64](t)(db.NewSelect().Table("witness").Where("id = ?", id).Count(t.Context()))
		events := must[[]eventstore.Recorded](t)(store.Load(t.Context(), accounts.Stream(id), eventstore.Range{}))
		a, version, err := accounts.Get(t.Context(), id)
		got := model[accounts.Stream(id)]
		if err != nil || want == 0 || a.Balance != want || version != want+1 || int64(len(events)) != want+1 || got.Balance != want || got.Events != want+1 {
			t.Errorf("account %s: %d commands, %+v at version %d, %d events, model %+v, %v", id, want, a, version, len(events), got, err)
		}
	}
	all := must[[]eventstore.Recorded](t)(store.ReadAll(t.Context(), 0, 1<<30))
	for i, e := range all {
		if e.Position != int64(i+1) {
			t.Fatalf("event %d has position %d: want no gaps", i+1, e.Position)
		}
	}
}
