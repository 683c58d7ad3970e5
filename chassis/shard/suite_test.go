package shard_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/shard"
)

// conformance checks what the router promises; open gives a new database with its tables in it.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, c *cluster){
		"a key is written to and read from its home":               routes,
		"a layout is not changed by accident":                      layoutStays,
		"a new region gets a home":                                 newRegion,
		"a scan of ranges comes back in order":                     rangeScan,
		"pages join without gap or repetition":                     paging,
		"a shard that fails is named, or its rows are missing":     failingShard,
		"a shard that hangs has its time":                          hangingShard,
		"rows in another order are refused":                        wrongOrder,
		"a replica that did not hear of a move finds the key":      outdatedReplica,
		"a write under way is not lost by a move":                  writeUnderWay,
		"nothing is lost while a range is moved, read and written": moveUnderLoad,
		"a move killed after any step is taken up":                 killedAtEachStep,
		"a mover that was thought dead does no harm":               revivedMover,
		"of two movers at a time one does the work":                twoMovers,
		"a mover revived after the way back deletes nothing":       revivedAfterWayBack,
		"a target that lost rows is mended":                        mendedTarget,
		"a region comes back to where it was":                      backAgain,
		"rows arrive as they were":                                 faithful,
		"keys that are added for ever do not keep a move going":    outrunByNewKeys,
		"keys that are written for ever do not keep a move going":  outrunByWrites,
		"a write that waits too long is told to come again":        busyWrite,
		"a freeze copies what one round leaves, not more":          shortFreeze,
		"a key with thousands of rows is moved":                    manyRows,
		"a fourth shard takes its part":                            fourthShard,
		"a shard is emptied":                                       emptied,
	} {
		t.Run(name, func(t *testing.T) { test(t, newCluster(t, open)) })
	}
}

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, shard.Migrations()) })
}

// user is a sharded row; order is a child of it.
type user struct {
	bun.BaseModel `bun:"table:users"`

	ID        string `bun:",pk"`
	Partition string
	Name      string
	SortKey   string
	Version   int64
}

type order struct {
	bun.BaseModel `bun:"table:orders"`

	UserID    string `bun:",pk"`
	N         int64  `bun:",pk"`
	Partition string
}

var tables = []shard.Table{{Name: "users", ID: "id"}, {Name: "orders", ID: "user_id"}}

// cluster is some shards with the tables in them.
type cluster struct {
	open   func(t *testing.T) *database.DB
	shards map[string]*database.DB
}

func newCluster(t *testing.T, open func(t *testing.T) *database.DB) *cluster {
	t.Helper()
	c := &cluster{open: open, shards: map[string]*database.DB{}}
	for _, name := range []string{"s1", "s2", "s3"} {
		c.add(t, name)
	}
	return c
}

func (c *cluster) add(t *testing.T, name string) {
	t.Helper()
	db := c.open(t)
	collate := ""
	if db.Kind() == database.Postgres {
		collate = `COLLATE "C"`
	}
	for _, statement := range []string{
		`CREATE TABLE users (id TEXT PRIMARY KEY, partition TEXT NOT NULL, name TEXT NOT NULL, sort_key TEXT ` + collate + ` NOT NULL, version BIGINT NOT NULL)`,
		`CREATE TABLE orders (user_id TEXT NOT NULL REFERENCES users, n BIGINT NOT NULL, partition TEXT NOT NULL, PRIMARY KEY (user_id, n))`,
		`CREATE INDEX users_partition ON users (partition, id)`, `CREATE INDEX orders_partition ON orders (partition, user_id)`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	c.shards[name] = db
}

// replica gives a router of its own, as each replica of a service has one.
func (c *cluster) replica(t testing.TB, s shard.Strategy, change ...func(*shard.Options)) *shard.Router {
	t.Helper()
	opt := shard.Options{Directory: "s1", Tables: tables, Batch: 7, Patience: 20 * time.Second, Log: slog.New(slog.DiscardHandler)}
	for _, fn := range change {
		fn(&opt)
	}
	r, err := shard.New(context.Background(), maps.Clone(c.shards), s, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func put(t testing.TB, r *shard.Router, key shard.Key, name string) {
	t.Helper()
	if err := tryPut(r, key, name); err != nil {
		t.Fatal(err)
	}
}

func tryPut(r *shard.Router, key shard.Key, name string) error {
	partition, err := r.Partition(key)
	if err != nil {
		return err
	}
	u := user{ID: key.ID, Partition: partition, Name: name, SortKey: shard.SortKey(name), Version: 1}
	return r.Write(context.Background(), key, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&u).Exec(ctx)
		return err
	})
}

// bump raises the version of a user, and adds an order with it as number.
func bump(r *shard.Router, key shard.Key) (version int64, err error) {
	partition, err := r.Partition(key)
	if err != nil {
		return 0, err
	}
	err = r.Write(context.Background(), key, func(ctx context.Context, tx bun.Tx) error {
		err := tx.NewUpdate().Model((*user)(nil)).Set("version = version + 1").Where("id = ?", key.ID).Returning("version").Scan(ctx, &version)
		if err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&order{UserID: key.ID, N: version, Partition: partition}).Exec(ctx)
		return err
	})
	return version, err
}

// get gives the version of a user and the number of its orders.
func get(r *shard.Router, key shard.Key) (version, orders int64, err error) {
	err = r.Read(context.Background(), key, func(ctx context.Context, tx bun.Tx) error {
		var u user
		if err := tx.NewSelect().Model(&u).Where("id = ?", key.ID).Scan(ctx); err != nil {
			return err
		}
		version = u.Version
		orders, err = tx.NewSelect().Model((*order)(nil)).Where("user_id = ?", key.ID).Count(ctx)
		return err
	})
	return version, orders, err
}

func byID(a, b user) int { return cmp.Compare(a.ID, b.ID) }

func bySortKey(a, b user) int {
	return cmp.Or(cmp.Compare(a.SortKey, b.SortKey), cmp.Compare(a.ID, b.ID))
}

// everyone asks all shards for all users, in the order of their sort keys.
func everyone(db bun.IDB) *bun.SelectQuery {
	return db.NewSelect().Model((*user)(nil)).OrderExpr("sort_key, id")
}

func ids(users []user) []string {
	var all []string
	for _, u := range users {
		all = append(all, u.ID)
	}
	return all
}

// raw gives the shards that have a user's row, whoever owns it.
func (c *cluster) raw(t testing.TB, id string) []string {
	t.Helper()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.shards)) {
		n, err := c.shards[name].NewSelect().Model((*user)(nil)).Where("id = ?", id).Count(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			names = append(names, name)
		}
	}
	return names
}

// sole wants each key's row with its version and orders, on one shard alone.
func (c *cluster) sole(t testing.TB, r *shard.Router, keys []shard.Key, versions map[string]int64) {
	t.Helper()
	for _, key := range keys {
		version, orders, err := get(r, key)
		want := max(versions[key.ID], 1)
		if err != nil || version != want || orders != want-1 {
			t.Errorf("%s: version %d with %d orders, %v; want version %d", key.ID, version, orders, err, want)
		}
		if at := c.raw(t, key.ID); len(at) != 1 {
			t.Errorf("%s is on %v", key.ID, at)
		}
	}
	for name, db := range c.shards {
		var n int64
		err := db.NewRaw(`SELECT COUNT(*) FROM shard_move`).Scan(t.Context(), &n)
		if err != nil || n != 0 {
			t.Errorf("%s has %d moves, %v", name, n, err)
		}
	}
}

func routes(t *testing.T, c *cluster) {
	for name, s := range map[string]shard.Strategy{"regions": regions()} {
		r := c.replica(t, s)
		for region, home := range map[string]string{"US": "s1", "EU": "s2", "ASIA": "s3"} {
			key := shard.Key{ID: "u-" + region, By: region}
			put(t, r, key, "Ann")
			if at := c.raw(t, key.ID); !slices.Equal(at, []string{home}) {
				t.Errorf("%s: %s is on %v, want %s", name, region, at, home)
			}
			if owner, err := r.Owner(key); owner != home || err != nil {
				t.Errorf("%s: owner %s, %v", region, owner, err)
			}
			if version, _, err := get(c.replica(t, s), key); version != 1 || err != nil {
				t.Errorf("%s: version %d, %v", region, version, err)
			}
		}
		if err := tryPut(r, shard.Key{ID: "u", By: "MARS"}, "Ann"); !errors.Is(err, shard.ErrUnknownRegion) {
			t.Errorf("Mars: %v", err)
		}
	}
}

func layoutStays(t *testing.T, c *cluster) {
	r := c.replica(t, shard.Hash(64))
	put(t, r, shard.Key{ID: "u-1"}, "Ann")
	opt := shard.Options{Directory: "s1", Tables: tables}
	if _, err := shard.New(t.Context(), c.shards, shard.Hash(128), opt); err == nil || !strings.Contains(err.Error(), "hash/64") {
		t.Errorf("another strategy: %v", err)
	}
	fewer := maps.Clone(c.shards)
	delete(fewer, "s3")
	if _, err := shard.New(t.Context(), fewer, shard.Hash(64), opt); !errors.Is(err, shard.ErrUnknownShard) {
		t.Errorf("a shard less: %v", err)
	}
	opt.Directory = "s9"
	if _, err := shard.New(t.Context(), c.shards, shard.Hash(64), opt); !errors.Is(err, shard.ErrUnknownShard) {
		t.Errorf("no directory: %v", err)
	}
	c.add(t, "s4")
	r = c.replica(t, shard.Hash(64)) // more shards change nothing until Rebalance
	if version, _, err := get(r, shard.Key{ID: "u-1"}); version != 1 || err != nil {
		t.Errorf("version %d, %v", version, err)
	}
}

func newRegion(t *testing.T, c *cluster) {
	c.replica(t, regions())
	r := c.replica(t, shard.Regions(map[string]string{"US": "s1", "EU": "s2", "ASIA": "s3", "AFRICA": "s2"}))
	put(t, r, shard.Key{ID: "u", By: "AFRICA"}, "Ann")
	if at := c.raw(t, "u"); !slices.Equal(at, []string{"s2"}) {
		t.Errorf("on %v", at)
	}
}

var names = []string{"Zoe", "adam", "Émile", "Paul", "Ida", "hugo", "Quentin", "Özil", "007", "李", "Ärger", "ida", "Jon", "Åke", "Жанна"}

func fillNames(t *testing.T, r *shard.Router) (inOrder []string) {
	t.Helper()
	var all []user
	for n, name := range names {
		id := fmt.Sprintf("u-%02d", n)
		put(t, r, shard.Key{ID: id, By: name}, name)
		all = append(all, user{ID: id, SortKey: shard.SortKey(name)})
	}
	slices.SortFunc(all, bySortKey)
	return ids(all)
}

func rangeScan(t *testing.T, c *cluster) {
	r := c.replica(t, letters(t))
	want := fillNames(t, r)
	result, err := shard.Gather(t.Context(), r, shard.Query[user]{Select: everyone, Compare: bySortKey})
	if err != nil || result.Partial || !slices.Equal(ids(result.Rows), want) {
		t.Errorf("%v, %v; want %v", ids(result.Rows), err, want)
	}
	some, err := shard.Between(letters(t), "E", "Pz")
	if err != nil {
		t.Fatal(err)
	}
	result, err = shard.Gather(t.Context(), r, shard.Query[user]{Compare: bySortKey, Partitions: some, Select: func(db bun.IDB) *bun.SelectQuery {
		return everyone(db).Where("sort_key >= ? AND sort_key <= ?", shard.SortKey("E"), shard.SortKey("Pz"))
	}})
	var got []string
	for _, u := range result.Rows {
		got = append(got, u.Name)
	}
	if err != nil || strings.Join(got, " ") != "Émile hugo Ida ida Jon Özil Paul" {
		t.Errorf("from E to P: %v, %v", got, err)
	}
	if _, err := shard.Between(letters(t), "P", "E"); err == nil {
		t.Error("a range backwards was taken")
	}
}

func paging(t *testing.T, c *cluster) {
	r := c.replica(t, letters(t))
	want := fillNames(t, r)
	var got []string
	after := shard.EncodeCursor("", "")
	for page := 0; ; page++ {
		at, err := shard.DecodeCursor(after, 2)
		if err != nil {
			t.Fatal(err)
		}
		result, err := shard.Gather(t.Context(), r, shard.Query[user]{Compare: bySortKey, Limit: 4, Select: func(db bun.IDB) *bun.SelectQuery {
			return everyone(db).Where("(sort_key, id) > (?, ?)", at[0], at[1])
		}})
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Rows) == 0 {
			break
		}
		got = append(got, ids(result.Rows)...)
		last := result.Rows[len(result.Rows)-1]
		after = shard.EncodeCursor(last.SortKey, last.ID)
		if page == 1 { // a move between two pages does not matter, nor a row before the cursor
			if err := r.Move(t.Context(), "i", "s3"); err != nil {
				t.Fatal(err)
			}
			put(t, r, shard.Key{ID: "early", By: "000"}, "000")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func failingShard(t *testing.T, c *cluster) {
	r := c.replica(t, letters(t))
	fillNames(t, r)
	if _, err := c.shards["s2"].ExecContext(t.Context(), "ALTER TABLE users RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	query := shard.Query[user]{Select: everyone, Compare: bySortKey}
	_, err := shard.Gather(t.Context(), r, query)
	var failed *shard.Error
	if !errors.As(err, &failed) || failed.Shard != "s2" || !strings.Contains(err.Error(), "shard s2: ") {
		t.Errorf("got %v", err)
	}
	query.Partial = true
	result, err := shard.Gather(t.Context(), r, query)
	if err != nil || !result.Partial || len(result.Failed) != 1 || result.Failed[0].Shard != "s2" || len(result.Rows) != 10 {
		t.Errorf("%d rows, %+v, %v", len(result.Rows), result.Failed, err)
	}
}

// hangingShard has a shard's query wait until its context ends.
func hangingShard(t *testing.T, c *cluster) {
	r := c.replica(t, letters(t), func(o *shard.Options) { o.Timeout, o.Concurrency = 500*time.Millisecond, 1 })
	fillNames(t, r)
	var mu sync.Mutex
	var asked []time.Time
	result, err := shard.Gather(t.Context(), r, shard.Query[user]{Partial: true, Select: func(db bun.IDB) *bun.SelectQuery {
		mu.Lock()
		defer mu.Unlock()
		if asked = append(asked, time.Now()); len(asked) > 1 {
			return everyone(db)
		}
		endless := db.NewSelect().ColumnExpr("1 AS n").UnionAll(db.NewSelect().TableExpr("endless").ColumnExpr("n + 1"))
		return db.NewSelect().WithRecursive("endless", endless).TableExpr("users, endless").ColumnExpr("users.id").Where("endless.n < 0")
	}})
	if err != nil || len(result.Failed) != 1 || !result.Partial || len(asked) != 3 {
		t.Fatalf("%d asked, %v, %v", len(asked), result.Failed, err)
	}
	if waited := asked[1].Sub(asked[0]); waited < 400*time.Millisecond || waited > 10*time.Second {
		t.Errorf("the second shard was asked %s after the first, which hung", waited)
	}
}

func wrongOrder(t *testing.T, c *cluster) {
	r := c.replica(t, letters(t))
	fillNames(t, r)
	_, err := shard.Gather(t.Context(), r, shard.Query[user]{Compare: byID, Select: everyone})
	if err == nil || !strings.Contains(err.Error(), "order of Compare") {
		t.Errorf("got %v", err)
	}
}

func faithful(t *testing.T, c *cluster) {
	postgres := c.shards["s1"].Kind() == database.Postgres
	create := `CREATE TABLE odd (id INTEGER PRIMARY KEY, partition TEXT, t TEXT, b BLOB, f REAL, at TIMESTAMP, flag BOOLEAN, n INTEGER, twice INTEGER AS (n * 2) STORED)`
	insert := `INSERT INTO odd (id, partition, t, b, f, at, flag, n) VALUES (1, 'EU', 'a' || char(0) || '''b\' , x'00ff', 0.1, '2026-01-01 12:00:00', TRUE, 9007199254740993), (2, 'EU', '', NULL, 1e300, 5, 0, NULL)`
	read := `SELECT group_concat(id || hex(t) || COALESCE(hex(b), '-') || f || typeof(at) || CAST(at AS BLOB) || typeof(flag) || COALESCE(n, '-') || COALESCE(twice, '-'), '|') FROM odd`
	if postgres {
		create = `CREATE TABLE odd (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, partition TEXT, t TEXT, b BYTEA, f DOUBLE PRECISION, at TIMESTAMPTZ,
			flag BOOLEAN, n NUMERIC, doc JSONB, list TEXT[], twice NUMERIC GENERATED ALWAYS AS (n * 2) STORED)`
		insert = `INSERT INTO odd (partition, t, b, f, at, flag, n, doc, list) VALUES ('EU', E'a\n''b\\', '\x00ff', 0.1, '2026-01-01 12:00:00.123456+02', TRUE, 12345678901234567890.10, '{"a": 1.50}', '{"x,y",NULL}'),
			('EU', '', '', 'NaN', 'infinity', FALSE, NULL, 'null', '{}')`
		read = `SELECT string_agg(odd::text, '|' ORDER BY id) FROM odd`
	}
	for _, db := range c.shards {
		if _, err := db.ExecContext(t.Context(), create); err != nil {
			t.Fatal(err)
		}
	}
	r := c.replica(t, regions(), func(o *shard.Options) { o.Tables = []shard.Table{{Name: "odd", ID: "id"}} })
	if _, err := c.shards["s2"].DB.DB.ExecContext(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	row := func(name string) (text string) {
		if err := c.shards[name].DB.DB.QueryRowContext(t.Context(), read).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	want := row("s2")
	if err := r.Move(t.Context(), "EU", "s3"); err != nil {
		t.Fatal(err)
	}
	if got := row("s3"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func openURL(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := database.Migrate(context.Background(), db, shard.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}
