package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/shard"
	"github.com/trellis-mesh/trellis/test/soak"
)

func TestUsersAreSpreadAndMoved(t *testing.T) {
	spreadAndMove(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// spreadAndMove shows what becomes of many users: how they are spread, that they are found and listed in order whatever they are spread
// by, and that a fourth shard takes its part while they are read and written. 50 rounds have 100,000 users.
func spreadAndMove(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	count := 2000 * soak.Rounds(t, 1)
	for _, sharding := range []string{ByHash, ByRange, ByRegion} {
		t.Run(sharding, func(t *testing.T) {
			c := newCluster(t, open)
			s := c.replica(t, sharding)
			begun := time.Now()
			users := c.load(t, s, count)
			t.Logf("%s: %d users, kept in %.1f s: %s", sharding, count, time.Since(begun).Seconds(), c.shares(t, count))
			c.spreadRight(t, sharding, users)
			c.scan(t, s, users)
			if sharding == ByHash {
				c.grow(t, users)
			}
		})
	}
}

var syllables = strings.Fields("ab be co du el fi go ha in jo ke li ma no or pe qui ro sa ti ul vi wu xe yo zu é ø ł 007 李 _")

// someone is a user of any name and region, the same for the same number.
func someone(i int) User {
	random := rand.New(rand.NewPCG(uint64(i), 22))
	var name strings.Builder
	for range 3 {
		name.WriteString(syllables[random.IntN(len(syllables))])
	}
	id := fmt.Sprintf("user-%07d", i)
	return User{
		ID: id, Email: id + "@example.com", Name: name.String(), SortKey: shard.SortKey(name.String()),
		Region: []string{"US", "EU", "ASIA"}[random.IntN(3)], Avatar: "0", CreatedAt: at,
	}
}

// load keeps many users, whose partitions are written in one transaction each: nothing moves yet.
func (c *cluster) load(t *testing.T, s *Store, count int) []User {
	t.Helper()
	users := make([]User, count)
	of := map[string][]User{}
	var claims []claim
	for i := range users {
		user := someone(i)
		partition, err := s.router.Partition(s.layout.key(user))
		if err != nil {
			t.Fatal(err)
		}
		user.Partition, users[i] = partition, user
		of[partition] = append(of[partition], user)
		claims = append(claims, claim{Email: user.Email, UserID: user.ID, Partition: partition, ClaimedAt: at, Confirmed: true})
	}
	for some := range slices.Chunk(claims, 1000) {
		if _, err := c.own.NewInsert().Model(&some).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, all := range of {
		for some := range slices.Chunk(all, 1000) {
			err := s.router.Write(t.Context(), s.layout.key(some[0]), func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewInsert().Model(&some).Exec(ctx)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return users
}

func (c *cluster) shares(t *testing.T, count int) string {
	t.Helper()
	var parts []string
	for _, name := range c.order {
		n, err := c.shards[name].NewSelect().Model((*User)(nil)).Where("NOT void").Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%s %.1f %%", name, 100*float64(n)/float64(count)))
	}
	return strings.Join(parts, ", ")
}

// spreadRight wants each user on the one shard where the strategy has them.
func (c *cluster) spreadRight(t *testing.T, sharding string, users []User) {
	t.Helper()
	rows, per := c.rows(t), map[string]int{}
	for _, user := range users {
		at := rows[user.ID]
		if len(at) != 1 {
			t.Fatalf("%s is on %v", user.ID, at)
		}
		per[at[0]]++
		want := at[0]
		switch first := user.SortKey[:1]; sharding {
		case ByRange:
			want = map[bool]string{true: "s1", false: map[bool]string{true: "s2", false: "s3"}[first < "q"]}[first < "i"]
		case ByRegion:
			want = map[string]string{"US": "s1", "EU": "s2", "ASIA": "s3"}[user.Region]
		}
		if at[0] != want {
			t.Errorf("%s %q of %s is on %s, want %s", user.ID, user.Name, user.Region, at[0], want)
		}
	}
	for name, n := range per {
		if share := float64(n) / float64(len(users)); sharding == ByHash && (share < 0.28 || share > 0.39) {
			t.Errorf("%s has %.1f %% of the users", name, 100*share)
		}
	}
}

// scan lists ranges of names, page by page, over all shards.
func (c *cluster) scan(t *testing.T, s *Store, users []User) {
	t.Helper()
	sorted := slices.Clone(users)
	slices.SortFunc(sorted, func(a, b User) int { return strings.Compare(a.SortKey+"\x00"+a.ID, b.SortKey+"\x00"+b.ID) })
	for _, names := range [][2]string{{"", ""}, {"A", "H"}, {"I", "P"}, {"Q", "Z"}, {"g", "k"}} {
		var want []string
		for _, user := range sorted {
			if (names[0] == "" || user.SortKey >= shard.SortKey(names[0])) && (names[1] == "" || user.SortKey < shard.SortKey(names[1])+last) {
				want = append(want, user.ID)
			}
		}
		begun := time.Now()
		if got := listed(t, s, names[0], names[1]); !slices.Equal(got, want) {
			t.Errorf("%q to %q: %d users, want %d, in order", names[0], names[1], len(got), len(want))
		}
		t.Logf("names from %q to %q: %d users in order over all shards, in %.2f s", names[0], names[1], len(want), time.Since(begun).Seconds())
	}
}

func listed(t *testing.T, s *Store, from, to string) (ids []string) {
	t.Helper()
	for after := ""; ; {
		page, next, err := s.List(t.Context(), from, to, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range page {
			ids = append(ids, user.ID)
		}
		if after = next; next == "" {
			return ids
		}
	}
}

// traffic reads and writes users while they move.
type traffic struct {
	s       *Store
	users   []User
	last    []atomic.Int64 // the avatar of each user, as it was acknowledged
	stop    chan struct{}
	added   sync.Map // ids of users that were created meanwhile
	reads   atomic.Int64
	writes  atomic.Int64
	creates atomic.Int64
	scans   atomic.Int64
	failure atomic.Pointer[string]
}

func (f *traffic) failed(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	f.failure.CompareAndSwap(nil, &text)
}

func (f *traffic) run(group *sync.WaitGroup) {
	until := func(work func(n int)) {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-f.stop:
					return
				default:
					work(n)
				}
			}
		})
	}
	const writers = 3
	for w := range writers {
		until(func(n int) { f.write(w + writers*rand.IntN(len(f.users)/writers)) })
		until(func(n int) { f.read(rand.IntN(len(f.users))) })
	}
	until(f.create)
	until(f.scan)
}

// write counts the user's avatar up; each user has one writer.
func (f *traffic) write(i int) {
	next := f.last[i].Load() + 1
	err := f.s.router.Write(context.Background(), f.s.layout.key(f.users[i]), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*User)(nil)).Set("avatar = ?", fmt.Sprint(next)).Where("id = ?", f.users[i].ID).Exec(ctx)
		return err
	})
	if err != nil {
		f.failed("write %s: %v", f.users[i].ID, err)
		return
	}
	f.last[i].Store(next)
	f.writes.Add(1)
}

// read wants what was acknowledged before, or newer.
func (f *traffic) read(i int) {
	atLeast := f.last[i].Load()
	user, err := f.s.Get(context.Background(), f.users[i].ID)
	var got int64
	if err == nil {
		_, err = fmt.Sscan(user.Avatar, &got)
	}
	if err != nil || got < atLeast {
		f.failed("read %s: version %d, %v; %d was acknowledged", f.users[i].ID, got, err, atLeast)
	}
	f.reads.Add(1)
}

func (f *traffic) create(n int) {
	user := someone(len(f.users) + n)
	if _, err := f.s.Create(context.Background(), wanted(user)); err != nil {
		f.failed("create %s: %v", user.ID, err)
		return
	}
	f.added.Store(user.ID, true)
	f.creates.Add(1)
}

// scan wants all users of a letter, each once.
func (f *traffic) scan(n int) {
	letter := string(rune('a' + n%26))
	want := map[string]bool{}
	for _, user := range f.users {
		if strings.HasPrefix(user.SortKey, letter) {
			want[user.ID] = true
		}
	}
	seen := map[string]bool{}
	for after := ""; ; {
		page, next, err := f.s.List(context.Background(), letter, letter, after, 200)
		if err != nil {
			f.failed("list %s: %v", letter, err)
			return
		}
		for _, user := range page {
			if seen[user.ID] {
				f.failed("%s is listed twice", user.ID)
			}
			seen[user.ID] = true
			delete(want, user.ID)
		}
		if after = next; next == "" {
			break
		}
	}
	if len(want) > 0 {
		f.failed("%d users of letter %s are not listed", len(want), letter)
	}
	f.scans.Add(1)
}

// grow adds a shard while one replica, which knows it, serves and another moves the users.
func (c *cluster) grow(t *testing.T, users []User) {
	t.Helper()
	before := c.rows(t)
	c.add(t, "s4")
	f := &traffic{s: c.replica(t, ByHash), users: users, last: make([]atomic.Int64, len(users)), stop: make(chan struct{})}
	var group sync.WaitGroup
	f.run(&group)
	begun := time.Now()
	partitions, err := c.replica(t, ByHash).Rebalance(t.Context())
	took := time.Since(begun)
	close(f.stop)
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if failure := f.failure.Load(); failure != nil {
		t.Fatal(*failure)
	}
	rows, moved := c.rows(t), 0
	for i, user := range users {
		at := rows[user.ID]
		if len(at) != 1 {
			t.Fatalf("%s is on %v", user.ID, at)
		}
		if at[0] != before[user.ID][0] {
			moved++
			if at[0] != "s4" {
				t.Errorf("%s went from %s to %s", user.ID, before[user.ID][0], at[0])
			}
		}
		if kept, err := f.s.Get(t.Context(), user.ID); err != nil || kept.Avatar != fmt.Sprint(f.last[i].Load()) {
			t.Errorf("%s has version %s, %v; %d was acknowledged last", user.ID, kept.Avatar, err, f.last[i].Load())
		}
	}
	added := 0
	f.added.Range(func(id, _ any) bool {
		if added++; len(rows[id.(string)]) != 1 {
			t.Errorf("%s, added meanwhile, is on %v", id, rows[id.(string)])
		}
		return true
	})
	if len(rows) != len(users)+added {
		t.Errorf("%d users, want %d", len(rows), len(users)+added)
	}
	share := float64(moved) / float64(len(users))
	if share < 0.20 || share > 0.30 {
		t.Errorf("%.1f %% of the users moved, want 20 to 30", 100*share)
	}
	for what, n := range map[string]int64{"reads": f.reads.Load(), "writes": f.writes.Load(), "creates": f.creates.Load(), "scans": f.scans.Load()} {
		if n == 0 {
			t.Errorf("there were no %s meanwhile", what)
		}
	}
	t.Logf("a fourth shard took %.1f %% of %d users, %d partitions, in %.1f s; meanwhile %d reads, %d writes, %d users added and %d letters listed, none wrong",
		100*share, len(users), partitions, took.Seconds(), f.reads.Load(), f.writes.Load(), added, f.scans.Load())
}
