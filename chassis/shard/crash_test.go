package shard_test

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
	"strings"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/shard"
	"github.com/trellis-mesh/trellis/test/soak"
)

// The crash test has a service move a region from shard to shard while it writes to it, and kills it again and again. In the
// end every write that was answered is there, once.
//
// The service is this test binary, started again with childEnv set: only a process can be killed as a process is.
const childEnv = "TRELLIS_TEST_SHARD"

const crashUsers = 24

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		fmt.Println("child:", runChild(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func crashKey(n int) shard.Key { return shard.Key{ID: fmt.Sprintf("u-%02d", n), By: "EU"} }

// runChild moves and writes, at the shards whose URLs it is given, until it is killed.
func runChild(text string) error {
	var urls map[string]string
	if err := json.Unmarshal([]byte(text), &urls); err != nil {
		return err
	}
	ctx := context.Background()
	shards := map[string]*database.DB{}
	for name, url := range urls {
		db, err := database.Open(ctx, url, database.Options{})
		if err != nil {
			return err
		}
		shards[name] = db
	}
	failed := make(chan error)
	replica := func() (*shard.Router, error) {
		return shard.New(ctx, shards, regions(), shard.Options{
			Directory: "s1", Tables: tables, Batch: 5, Patience: time.Minute, Log: slog.New(slog.DiscardHandler),
		})
	}
	mover, err := replica()
	if err != nil {
		return err
	}
	go func() { failed <- moveOnAndOn(ctx, mover) }()
	const writers = 3
	for w := range writers {
		r, err := replica() // which hears of no move
		if err != nil {
			return err
		}
		go func() {
			for n := 0; ; n++ {
				key := crashKey((n*writers + w) % crashUsers)
				version, err := bump(r, key)
				if err != nil {
					failed <- fmt.Errorf("write %s: %w", key.ID, err)
				}
				fmt.Println("answered", key.ID, version)
				<-time.After(2 * time.Millisecond) // leave the mover a turn
			}
		}()
	}
	return <-failed
}

func moveOnAndOn(ctx context.Context, r *shard.Router) error {
	for {
		if err := r.Resume(ctx); err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		owner, err := r.Owner(crashKey(0))
		if err != nil {
			return err
		}
		if err := r.Move(ctx, "EU", map[string]string{"s1": "s2", "s2": "s3", "s3": "s1"}[owner]); err != nil {
			return fmt.Errorf("move: %w", err)
		}
		fmt.Println("moved")
	}
}

func TestNothingIsLostWhenProcessesAreKilled(t *testing.T) {
	killed(t, func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "shard.db") }, 5, 200)
}

// killed has the rounds, a few at a time each with databases of its own: a move copies all that was ever written.
func killed(t *testing.T, url func(t *testing.T) string, everyday, answers int) {
	t.Helper()
	rounds := soak.Rounds(t, everyday)
	for first := 0; first < rounds; first += everyday {
		t.Run(fmt.Sprint("from round ", first), func(t *testing.T) { killedFor(t, url, min(everyday, rounds-first), answers) })
	}
}

func killedFor(t *testing.T, url func(t *testing.T) string, rounds, answers int) {
	t.Helper()
	urls := map[string]string{}
	c := newCluster(t, func(t *testing.T) *database.DB {
		name := fmt.Sprint("s", len(urls)+1)
		urls[name] = url(t)
		return openURL(t, urls[name])
	})
	r := c.replica(t, regions())
	var keys []shard.Key
	for n := range crashUsers {
		keys = append(keys, crashKey(n))
		put(t, r, keys[n], "Ann")
	}
	answered := map[string]int64{}
	for round := range rounds {
		killService(t, urls, answers/10+rand.IntN(answers), round%2, answered)
	}
	last := c.replica(t, regions())
	eventually(t, "the last move is finished", func() bool { // the server may still hold a dead process's locks
		err := last.Resume(t.Context())
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	total := int64(0)
	for _, key := range keys {
		version, orders, err := get(last, key)
		if err != nil || version < answered[key.ID] || orders != version-1 {
			t.Errorf("%s: version %d with %d orders, %v; version %d was answered", key.ID, version, orders, err, answered[key.ID])
		}
		answered[key.ID] = version
		total += version - 1
	}
	c.sole(t, last, keys, answered)
	var epoch int64 // grows with each move
	if err := c.shards["s1"].NewRaw("SELECT epoch FROM shard_directory WHERE partition = 'EU'").Scan(t.Context(), &epoch); err != nil || epoch < 2 || total == 0 {
		t.Errorf("%d moves, %d writes, %v", epoch-1, total, err)
	}
	t.Logf("%d crashes, %d moves, %d writes, each there once", rounds, epoch-1, total)
}

// killService runs the service until it has answered some writes and made some moves, and notes the answers.
func killService(t *testing.T, urls map[string]string, answers, moves int, answered map[string]int64) {
	t.Helper()
	text, err := json.Marshal(urls)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
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
		var id string
		var version int64
		if _, err := fmt.Sscanf(lines.Text(), "answered %s %d", &id, &version); err == nil {
			seen++
			if version <= answered[id] {
				t.Errorf("%s got version %d after %d was answered", id, version, answered[id])
			}
			answered[id] = version
		} else if lines.Text() == "moved" {
			moves--
		} else {
			other = append(other, lines.Text())
		}
		if seen >= answers && moves <= 0 {
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the service ended by itself: %v: %s", err, strings.Join(other, "\n"))
	}
}
