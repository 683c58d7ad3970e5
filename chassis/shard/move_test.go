package shard_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/shard"
	"github.com/trellis-mesh/trellis/test/soak"
)

var errKilled = errors.New("killed by the test")

// fill makes n users in Europe, with an order each.
func fill(t *testing.T, r *shard.Router, n int) ([]shard.Key, map[string]int64) {
	t.Helper()
	keys, versions := make([]shard.Key, n), map[string]int64{}
	for i := range keys {
		keys[i] = shard.Key{ID: fmt.Sprintf("u-%03d", i), By: "EU"}
		put(t, r, keys[i], "Ann")
		raise(t, r, keys[i], versions)
	}
	return keys, versions
}

func raise(t *testing.T, r *shard.Router, key shard.Key, versions map[string]int64) {
	t.Helper()
	version, err := bump(r, key)
	if err != nil {
		t.Fatal(err)
	}
	versions[key.ID] = version
}

func outdatedReplica(t *testing.T, c *cluster) {
	first, second := c.replica(t, regions()), c.replica(t, regions())
	keys, versions := fill(t, first, 10)
	if err := first.Move(t.Context(), "EU", "s3"); err != nil {
		t.Fatal(err)
	}
	if owner, err := second.Owner(keys[0]); owner != "s2" || err != nil {
		t.Fatalf("the second replica has heard of the move: %s, %v", owner, err)
	}
	put(t, second, shard.Key{ID: "new", By: "EU"}, "New")
	if at := c.raw(t, "new"); !slices.Equal(at, []string{"s3"}) {
		t.Errorf("written to %v", at)
	}
	third := c.replica(t, regions())
	if err := first.Move(t.Context(), "EU", "s1"); err != nil {
		t.Fatal(err)
	}
	if err := first.Move(t.Context(), "EU", "s2"); err != nil {
		t.Fatal(err)
	}
	result, err := shard.Gather(t.Context(), third, shard.Query[user]{Select: everyone, Compare: bySortKey})
	if err != nil || len(result.Rows) != 11 {
		t.Errorf("%d rows, %v", len(result.Rows), err)
	}
	c.sole(t, second, keys, versions)
}

func writeUnderWay(t *testing.T, c *cluster) {
	r, mover := c.replica(t, regions()), c.replica(t, regions())
	key := shard.Key{ID: "u", By: "EU"}
	put(t, r, key, "Ann")
	begun, commit := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := r.Write(t.Context(), key, func(ctx context.Context, tx bun.Tx) error {
			close(begun)
			<-commit
			_, err := tx.NewUpdate().Model((*user)(nil)).Set("version = 7").Where("id = 'u'").Exec(ctx)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	moved := make(chan struct{})
	group.Go(func() {
		defer close(moved)
		if err := mover.Move(t.Context(), "EU", "s3"); err != nil {
			t.Error(err)
		}
	})
	if c.shards["s2"].Kind() == database.Postgres {
		eventually(t, "the move waits for the write, or has passed it", func() bool {
			select {
			case <-moved:
				return true
			default:
			}
			var waiting int
			err := c.shards["s2"].NewSelect().TableExpr("pg_locks").ColumnExpr("COUNT(*)").Where("NOT granted AND locktype = 'advisory'").Scan(t.Context(), &waiting)
			return err == nil && waiting > 0
		})
	}
	close(commit)
	group.Wait()
	if version, _, err := get(r, key); version != 7 || err != nil {
		t.Errorf("version %d, %v", version, err)
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 30s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// load writes and reads, and scans if asked to, through replicas that hear of no move, until stop is called; then versions
// has what each user must have.
func (c *cluster) load(t *testing.T, s shard.Strategy, keys []shard.Key, writers int, scan bool) (versions map[string]int64, stop func()) {
	versions = map[string]int64{}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var mu sync.Mutex
	var operations atomic.Int64
	for w := range writers {
		r := c.replica(t, s)
		group.Go(func() { // each writer has keys of its own, so it knows their versions
			for ctx.Err() == nil {
				key := keys[rand.IntN(len(keys)/writers)*writers+w]
				mu.Lock()
				before := max(versions[key.ID], 1)
				mu.Unlock()
				version, err := bump(r, key)
				if err != nil || version != before+1 {
					t.Errorf("%s: wrote version %d after %d, %v", key.ID, version, before, err)
					return
				}
				mu.Lock()
				versions[key.ID] = version
				mu.Unlock()
				if version, orders, err := get(r, key); err != nil || version != before+1 || orders != before {
					t.Errorf("%s: read version %d with %d orders after writing %d, %v", key.ID, version, orders, before+1, err)
					return
				}
				operations.Add(1)
			}
		})
	}
	scanner := c.replica(t, s)
	group.Go(func() {
		for scan && ctx.Err() == nil {
			result, err := shard.Gather(context.Background(), scanner, shard.Query[user]{Select: everyone, Compare: bySortKey})
			if err != nil || len(result.Rows) != len(keys) {
				t.Errorf("a scan has %d rows, %v; want %d", len(result.Rows), err, len(keys))
				return
			}
		}
	})
	return versions, func() {
		done := operations.Load() + 20
		eventually(t, "writes go on", func() bool { return operations.Load() >= done || t.Failed() })
		cancel()
		group.Wait()
	}
}

func moveUnderLoad(t *testing.T, c *cluster) {
	s := letters(t)
	r := c.replica(t, s)
	var keys []shard.Key
	for n := range 120 {
		name := string(rune('a'+n%12)) + fmt.Sprint(n)
		keys = append(keys, shard.Key{ID: fmt.Sprintf("u-%03d", n), By: name})
		put(t, r, keys[n], name)
	}
	versions, stop := c.load(t, s, keys, 4, true)
	for _, to := range []string{"s3", "s2", "s1"} {
		for _, letter := range []string{"a", "j"} {
			if err := r.Move(t.Context(), letter, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	c.sole(t, c.replica(t, s), keys, versions)
}

// killedAtEachStep kills the mover after its first, second, third … step. Another replica writes, and takes the move up.
func killedAtEachStep(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	keys, versions := fill(t, r, 20)
	at := "s2"
	for kill := 1; ; kill++ {
		to := map[string]string{"s2": "s3", "s3": "s1", "s1": "s2"}[at]
		mover := c.replica(t, regions())
		n, step := 0, ""
		shard.AtSteps(mover, func(name string) error {
			if name == "copied" && n%2 == 0 { // it was copied already, and is written again
				raise(t, r, keys[0], versions)
			}
			if n++; n == kill {
				step = name
				return errKilled
			}
			return nil
		})
		err := mover.Move(t.Context(), "EU", to)
		if err == nil {
			t.Logf("killed after %d steps", kill-1)
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("step %d: %v", kill, err)
		}
		if version, _, err := get(r, keys[1]); err != nil || version != versions[keys[1].ID] {
			t.Errorf("killed after %s: read version %d, %v", step, version, err)
		}
		if step != "frozen" && step != "drained" && step != "compared" { // then writes wait for whoever takes the move up
			raise(t, r, keys[2], versions)
		}
		if err := mover.Move(t.Context(), "EU", at); err == nil && step != "cleaned" {
			t.Errorf("killed after %s: the partition went another way", step)
		}
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := bump(r, keys[3]); err != nil {
				t.Errorf("killed after %s: %v", step, err)
			}
		})
		if err := c.replica(t, regions()).Resume(t.Context()); err != nil {
			t.Fatalf("killed after %s: %v", step, err)
		}
		group.Wait()
		versions[keys[3].ID]++
		at = to
		if owner, err := c.replica(t, regions()).Owner(keys[0]); owner != to || err != nil {
			t.Fatalf("killed after %s: owner %s, %v; want %s", step, owner, err, to)
		}
		c.sole(t, c.replica(t, regions()), keys, versions)
	}
}

// revivedMover stops a mover after each of its steps, has another one finish the move, and writes; then the first goes on.
func revivedMover(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	keys, versions := fill(t, r, 20)
	at := "s2"
	for stop := 1; ; stop++ {
		to := map[string]string{"s2": "s3", "s3": "s1", "s1": "s2"}[at]
		first := c.replica(t, regions())
		n, step := 0, ""
		shard.AtSteps(first, func(name string) error {
			if n++; n != stop {
				return nil
			}
			step = name
			for i := range 3 {
				if name != "frozen" && name != "compared" && name != "drained" {
					raise(t, r, keys[i], versions)
				}
			}
			if err := shard.Finish(t.Context(), c.replica(t, regions()), "EU"); err != nil {
				t.Fatalf("stopped after %s: %v", name, err)
			}
			for i := range 6 {
				raise(t, r, keys[2*i], versions)
			}
			return nil
		})
		err := first.Move(t.Context(), "EU", to)
		if step == "" {
			t.Logf("revived after %d steps", stop-1)
			break
		}
		at = to
		c.sole(t, c.replica(t, regions()), keys, versions)
		if t.Failed() {
			t.Fatalf("stopped after %s; then %v", step, err)
		}
	}
}

// twoMovers stops a mover after a step, has another one come as far as another step, and lets the first go on before the other.
func twoMovers(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	keys, versions := fill(t, r, 10)
	at := "s2"
	for _, steps := range [][2]string{
		{"read", "compared"}, {"read", "activated"}, {"copied", "read"}, {"verified", "frozen"}, {"frozen", "frozen"}, {"compared", "frozen"},
		{"compared", "verified"}, {"compared", "compared"}, {"compared", "left"}, {"left", "activated"}, {"activated", "directed"}, {"directed", "cleaned"},
	} {
		to := map[string]string{"s2": "s3", "s3": "s1", "s1": "s2"}[at]
		first, second := c.replica(t, regions()), c.replica(t, regions())
		reached, finished, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
		once := true
		shard.AtSteps(second, func(name string) error {
			if name == "verified" { // marked, and not copied before it is frozen
				raise(t, r, keys[1], versions)
			}
			if name == steps[1] && once {
				once = false
				close(reached)
				<-gone
			}
			return nil
		})
		stopped := false
		shard.AtSteps(first, func(name string) error {
			if stopped || name != steps[0] {
				return nil
			}
			stopped = true
			if name == "read" || name == "copied" || name == "verified" {
				raise(t, r, keys[0], versions)
			}
			go func() {
				defer close(finished)
				if err := shard.Finish(context.Background(), second, "EU"); err != nil {
					t.Errorf("%v: the second mover: %v", steps, err)
				}
			}()
			select {
			case <-reached:
			case <-finished:
			}
			return nil
		})
		_ = first.Move(t.Context(), "EU", to) // it may be told that it lost the move, or find it done
		close(gone)
		<-finished
		raise(t, r, keys[2], versions)
		at = to
		if c.sole(t, c.replica(t, regions()), keys, versions); t.Failed() {
			t.Fatalf("the first mover stopped after %s, the second after %s", steps[0], steps[1])
		}
	}
}

func revivedAfterWayBack(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	keys, versions := fill(t, r, 20)
	for _, step := range []string{"left", "activated", "directed", "cleaned"} {
		first := c.replica(t, regions())
		stopped := false
		shard.AtSteps(first, func(name string) error {
			if stopped || name != step {
				return nil
			}
			stopped = true
			second := c.replica(t, regions())
			if err := shard.Finish(t.Context(), second, "EU"); err != nil {
				t.Errorf("%s: %v", step, err)
			}
			if err := shard.MoveUnlocked(t.Context(), second, "EU", "s2"); err != nil {
				t.Errorf("%s: %v", step, err)
			}
			raise(t, r, keys[0], versions)
			return nil
		})
		_ = first.Move(t.Context(), "EU", "s3") // its move is done and undone
		if c.sole(t, c.replica(t, regions()), keys, versions); t.Failed() {
			t.Fatalf("stopped after %s", step)
		}
	}
}

func mendedTarget(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	keys, versions := fill(t, r, 20)
	damage := map[string][]string{
		"copied": {
			"DELETE FROM orders WHERE user_id = 'u-001'", "DELETE FROM users WHERE id = 'u-001'", "UPDATE users SET version = 99 WHERE id = 'u-002'",
			"INSERT INTO users VALUES ('u-0025', 'EU', 'x', 'x', 1)", "INSERT INTO users VALUES ('z', 'EU', 'x', 'x', 1)",
		},
		"drained": {"DELETE FROM orders WHERE user_id = 'u-003'"}, // it was copied for the second time
	}
	writer := c.replica(t, regions())
	verified := false
	shard.AtSteps(r, func(name string) error {
		if name == "verified" {
			verified = true
			for _, key := range keys[:10] {
				raise(t, writer, key, versions)
			}
		}
		if name == "drained" && !verified {
			return nil
		}
		for _, statement := range damage[name] {
			if _, err := c.shards["s3"].ExecContext(t.Context(), statement); err != nil {
				t.Error(err)
			}
		}
		delete(damage, name)
		return nil
	})
	if err := r.Move(t.Context(), "EU", "s3"); err != nil {
		t.Fatal(err)
	}
	c.sole(t, r, keys, versions)
	if n, err := c.shards["s3"].NewSelect().Model((*user)(nil)).Count(t.Context()); n != 20 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
}

// outrunByNewKeys adds a batch of keys behind the last one whenever a batch was copied or checked, and writes one key again and again.
func outrunByNewKeys(t *testing.T, c *cluster) {
	r := c.replica(t, regions(), func(o *shard.Options) { o.Batch = 3 })
	keys, versions := fill(t, r, 10)
	mover := c.replica(t, regions(), func(o *shard.Options) { o.Batch = 3 })
	seen := map[string]int{}
	shard.AtSteps(mover, func(name string) error {
		if seen[name]++; seen[name] > 100 {
			return fmt.Errorf("no end of %s in sight", name)
		}
		if seen["frozen"] > 0 || name != "copied" && name != "drained" && name != "checked" {
			return nil
		}
		for range 3 {
			keys = append(keys, shard.Key{ID: fmt.Sprintf("u-%03d", len(keys)), By: "EU"})
			put(t, r, keys[len(keys)-1], "Ann")
		}
		raise(t, r, keys[0], versions)
		return nil
	})
	if err := mover.Move(t.Context(), "EU", "s3"); err != nil {
		t.Fatal(err)
	}
	if len(keys) < 40 {
		t.Errorf("%d keys: hardly one was added while the move was under way", len(keys))
	}
	c.sole(t, r, keys, versions)
}

// busyWrite writes while the partition is frozen, with little patience: its own, and its caller's.
func busyWrite(t *testing.T, c *cluster) {
	keys, versions := fill(t, c.replica(t, regions()), 1)
	hasty := c.replica(t, regions(), func(o *shard.Options) { o.Patience = 30 * time.Millisecond })
	patient := c.replica(t, regions())
	mover := c.replica(t, regions())
	frozen := false
	shard.AtSteps(mover, func(name string) error {
		if name != "frozen" {
			return nil
		}
		frozen = true
		_, err := bump(hasty, keys[0])
		if p := problem.From(err); !errors.Is(err, shard.ErrBusy) || p.Status != http.StatusServiceUnavailable || p.Code != "shard_busy" || p.RetryAfter <= 0 {
			t.Errorf("a write in the freeze gives %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		err = patient.Write(ctx, keys[0], func(context.Context, bun.Tx) error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, shard.ErrBusy) {
			t.Errorf("a write whose caller's time is over gives %v", err)
		}
		return nil
	})
	if err := mover.Move(t.Context(), "EU", "s3"); err != nil || !frozen {
		t.Fatalf("frozen %v, %v", frozen, err)
	}
	if version, err := bump(hasty, keys[0]); err != nil || version != versions[keys[0].ID]+1 {
		t.Errorf("after the move, version %d, %v; the refused write must have changed nothing", version, err)
	}
}

// outrunByWrites writes every key again whenever a batch was copied.
func outrunByWrites(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	keys, versions := fill(t, r, 10)
	mover := c.replica(t, regions())
	frozen, seen := false, 0
	shard.AtSteps(mover, func(name string) error {
		if frozen = frozen || name == "frozen"; frozen || name != "copied" && name != "drained" {
			return nil
		}
		if seen++; seen > 30 {
			return errors.New("no end of copying in sight")
		}
		for _, key := range keys {
			raise(t, r, key, versions)
		}
		return nil
	})
	if err := mover.Move(t.Context(), "EU", "s3"); err != nil {
		t.Fatal(err)
	}
	c.sole(t, r, keys, versions)
}

// shortFreeze has every key written while the move verifies, and the first few again with each batch that is copied.
func shortFreeze(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	registry := prometheus.NewRegistry()
	mover := c.replica(t, regions(), func(o *shard.Options) { o.Registry = registry })
	keys, versions := fill(t, r, 60)
	frozen, drained := false, 0 // batches copied in the freeze
	shard.AtSteps(mover, func(name string) error {
		switch {
		case name == "frozen":
			frozen = true
		case name == "verified":
			for _, key := range keys {
				raise(t, r, key, versions)
			}
		case name == "drained" && frozen:
			drained++
		case name == "drained":
			for _, key := range keys[:6] { // of a batch of 7
				raise(t, r, key, versions)
			}
		}
		return nil
	})
	if err := mover.Move(t.Context(), "EU", "s3"); err != nil {
		t.Fatal(err)
	}
	if drained != 1 {
		t.Errorf("writes waited until %d batches were copied, want 1", drained)
	}
	c.sole(t, r, keys, versions)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "shard_freeze_seconds" })
	if at < 0 {
		t.Fatal("the length of the freeze is not measured")
	}
	if h := families[at].GetMetric()[0].GetHistogram(); h.GetSampleCount() != 1 || h.GetSampleSum() <= 0 {
		t.Errorf("the length of the freeze is given as %v", h)
	}
}

// manyRows moves a key whose rows have more values than a statement may have arguments.
func manyRows(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	key := shard.Key{ID: "u", By: "EU"}
	put(t, r, key, "Ann")
	const n = 10_050
	err := r.Write(t.Context(), key, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO orders (user_id, n, partition)
			WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT 'u', n, 'EU' FROM c`, n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it takes a few seconds; by named arguments, minutes
	defer cancel()
	if err := r.Move(ctx, "EU", "s3"); err != nil {
		t.Fatal(err)
	}
	if _, orders, err := get(r, key); orders != n || err != nil {
		t.Errorf("%d orders, %v; want %d", orders, err, n)
	}
}

func backAgain(t *testing.T, c *cluster) {
	r := c.replica(t, regions())
	keys, versions := fill(t, r, 20)
	for _, to := range []string{"s3", "s2", "s2", "s1", "s2"} {
		if err := r.Move(t.Context(), "EU", to); err != nil {
			t.Fatal(err)
		}
		raise(t, r, keys[0], versions)
		c.sole(t, r, keys, versions)
	}
	if err := r.Move(t.Context(), "EU", "s9"); !errors.Is(err, shard.ErrUnknownShard) {
		t.Errorf("an unknown shard: %v", err)
	}
	if err := r.Move(t.Context(), "MARS", "s1"); err == nil {
		t.Error("an unknown partition was moved")
	}
}

func (c *cluster) fillHashed(t *testing.T, r *shard.Router, n int) []shard.Key {
	t.Helper()
	of := map[string][]user{}
	keys := make([]shard.Key, n)
	for i := range keys {
		keys[i] = shard.Key{ID: fmt.Sprintf("u-%06d", i)}
		owner, err := r.Owner(keys[i])
		if err != nil {
			t.Fatal(err)
		}
		partition, err := r.Partition(keys[i])
		if err != nil {
			t.Fatal(err)
		}
		of[owner] = append(of[owner], user{ID: keys[i].ID, Partition: partition, Name: "x", SortKey: "x", Version: 1})
	}
	for name, users := range of {
		for some := range slices.Chunk(users, 2000) {
			if _, err := c.shards[name].NewInsert().Model(&some).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return keys
}

// fourthShard adds a shard while the users are written and read, and wants 20 to 30 % of them there.
func fourthShard(t *testing.T, c *cluster) {
	n := 2000
	if soak.Rounds(t, 1) > 1 {
		n = 100_000
	}
	s := shard.Hash(256)
	keys := c.fillHashed(t, c.replica(t, s), n)
	c.add(t, "s4")
	r := c.replica(t, s, func(o *shard.Options) { o.Batch = 500 })
	versions, stop := c.load(t, s, keys, 1, false)
	began := time.Now()
	moved, err := r.Rebalance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop()
	counts := map[string]int64{}
	total := int64(0)
	for name, db := range c.shards {
		if counts[name], err = db.NewSelect().Model((*user)(nil)).Count(t.Context()); err != nil {
			t.Fatal(err)
		}
		total += counts[name]
	}
	t.Logf("%d partitions moved in %s: %v", moved, time.Since(began).Round(time.Millisecond), counts)
	if total != int64(n) || counts["s4"]*10 < total*2 || counts["s4"]*10 > total*3 {
		t.Errorf("%d users on %v, want %d, and 20 to 30 %% on s4", total, counts, n)
	}
	var some []shard.Key
	for i := range 500 {
		some = append(some, keys[i*len(keys)/500])
	}
	c.sole(t, c.replica(t, s), some, versions)
	result, err := shard.Gather(t.Context(), c.replica(t, s), shard.Query[user]{Select: everyone, Compare: bySortKey})
	if err != nil || len(result.Rows) != n {
		t.Fatalf("%d rows, %v", len(result.Rows), err)
	}
	for i, u := range result.Rows {
		if u.ID != keys[i].ID || u.Version != max(versions[u.ID], 1) {
			t.Fatalf("row %d is %s with version %d, want %s with %d", i, u.ID, u.Version, keys[i].ID, versions[keys[i].ID])
		}
	}
}

func emptied(t *testing.T, c *cluster) {
	s := shard.Hash(16)
	r := c.replica(t, s)
	keys := c.fillHashed(t, r, 200)
	if _, err := r.Rebalance(t.Context(), "s1", "s2"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.shards["s3"].NewSelect().Model((*user)(nil)).Count(t.Context()); n != 0 || err != nil {
		t.Errorf("%d users left, %v", n, err)
	}
	if moved, err := r.Rebalance(t.Context(), "s1", "s2"); moved != 0 || err != nil {
		t.Errorf("%d moved again, %v", moved, err)
	}
	c.sole(t, r, keys, nil)
}
