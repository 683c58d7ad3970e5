package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/chassis/event"
	"github.com/trellis-mesh/trellis/chassis/event/eventtest"
	"github.com/trellis-mesh/trellis/chassis/outbox"
	"github.com/trellis-mesh/trellis/chassis/shard"
	"github.com/trellis-mesh/trellis/services/users/api"
	"github.com/trellis-mesh/trellis/services/users/migrations"
)

func TestSQLiteConforms(t *testing.T) {
	conformance(t, func(t *testing.T) *database.DB { return databasetest.New(t, nil) })
}

// conformance checks what the store promises on every kind of database; open gives an empty one.
func conformance(t *testing.T, open func(t *testing.T) *database.DB) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *cluster, string){
		"a user is given again":                         registers,
		"an address is one user's":                      refusesTaken,
		"of many who want an address one gets it":       refusesAtOnce,
		"a user and its event are in one shard":         tells,
		"a registration that broke off is settled":      settles,
		"one that gives up again and again is settled":  settlesAgain,
		"a registration that was given up keeps nobody": givesUp,
		"of two who take an address over one gets it":   takesOver,
		"one who is being registered is waited for":     waits,
		"a repeated request has one user":               repeats,
		"a user from before is found and moved":         movesIn,
		"an old replica and a new one share addresses":  sharesAddresses,
		"names come in order, page by page":             lists,
	} {
		t.Run(name, func(t *testing.T) {
			for _, sharding := range []string{ByHash, ByRange, ByRegion} {
				t.Run(sharding, func(t *testing.T) { test(t, newCluster(t, open), sharding) })
			}
		})
	}
	for name, test := range map[string]func(*testing.T, *cluster){
		"the layout is fixed by the first start": staysFixed,
		"a region has its shard":                 knowsRegions,
		"a name has its shard":                   knowsNames,
		"clients are kept as they are now":       keepsClients,
	} {
		t.Run(name, func(t *testing.T) { test(t, newCluster(t, open)) })
	}
}

// cluster is the databases of the service.
type cluster struct {
	open      func(t *testing.T) *database.DB
	own       *database.DB
	shards    map[string]*database.DB
	order     []string
	boxes     map[string]*outbox.Outbox
	published *eventtest.Recorder
}

func newCluster(t *testing.T, open func(t *testing.T) *database.DB) *cluster {
	t.Helper()
	c := &cluster{
		open: open, own: open(t), shards: map[string]*database.DB{}, boxes: map[string]*outbox.Outbox{}, published: &eventtest.Recorder{},
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		c.add(t, name)
	}
	return c
}

func (c *cluster) add(t *testing.T, name string) {
	t.Helper()
	db := c.open(t)
	for _, tables := range []fs.FS{migrations.Shards(), shard.Migrations(), outbox.Migrations()} {
		if err := database.Migrate(t.Context(), db, tables); err != nil {
			t.Fatal(err)
		}
	}
	box, err := outbox.New(db, c.published, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.shards[name], c.boxes[name], c.order = db, box, append(c.order, name)
}

// before makes the service's own database as the version before had it.
func (c *cluster) before(t *testing.T) {
	t.Helper()
	old := fstest.MapFS{}
	for _, name := range []string{"20260101000000_init.up.sql", "20261122000000_tokens.up.sql"} {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		old[name] = &fstest.MapFile{Data: text}
	}
	if err := database.Migrate(t.Context(), c.own, old); err != nil {
		t.Fatal(err)
	}
}

// replica gives a store of its own, as each replica of the service has one.
func (c *cluster) replica(t *testing.T, sharding string) *Store {
	t.Helper()
	if err := database.Migrate(t.Context(), c.own, migrations.FS); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), c.options(sharding))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *cluster) options(sharding string) Options {
	return Options{
		Own: c.own, Shards: maps.Clone(c.shards), Order: slices.Clone(c.order), Outboxes: maps.Clone(c.boxes), Sharding: sharding,
		Log: slog.New(slog.DiscardHandler),
	}
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

// ada has the address ada@example.com, and any id, name and region.
func ada(id, name, region string) Registration {
	return wanted(User{ID: id, Email: "ada@example.com", Name: name, Region: region, CreatedAt: at, PasswordHash: "hash", Avatar: "https://example.com/" + id})
}

func wanted(user User) Registration {
	e, err := event.New(api.UserCreatedV1Type, user.ID, map[string]string{"id": user.ID})
	if err != nil {
		panic(err) // the payload can always be encoded
	}
	e.SetSource("test")
	return Registration{User: user, Events: []event.Event{e}}
}

func create(t *testing.T, s *Store, r Registration) User {
	t.Helper()
	user, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// told are the ids of the users that the outboxes tell of, in order.
func (c *cluster) told(t *testing.T) (ids []string) {
	t.Helper()
	for _, name := range c.order {
		if err := c.boxes[name].Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range c.published.Events() {
		ids = append(ids, e.Subject())
	}
	slices.Sort(ids)
	return ids
}

// rows are the users in all shards, by id, with the shards that have them.
func (c *cluster) rows(t testing.TB) map[string][]string {
	t.Helper()
	at := map[string][]string{}
	for _, name := range c.order {
		var ids []string
		if err := c.shards[name].NewSelect().Model((*User)(nil)).Column("id").Where("NOT void").Scan(context.Background(), &ids); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			at[id] = append(at[id], name)
		}
	}
	return at
}

// sole wants one user in all, with an id and an address that is confirmed, and told of once.
func (c *cluster) sole(t *testing.T, s *Store, id string) {
	t.Helper()
	if rows := c.rows(t); len(rows) != 1 || len(rows[id]) != 1 {
		t.Errorf("users %v, want %s alone, on one shard", rows, id)
	}
	if user, err := s.UserByEmail(t.Context(), "ada@example.com"); err != nil || user.ID != id {
		t.Errorf("by address: %+v, %v; want %s", user, err, id)
	}
	if user, err := s.Get(t.Context(), id); err != nil || user.Email != "ada@example.com" {
		t.Errorf("by id: %+v, %v", user, err)
	}
	if told := c.told(t); !slices.Equal(told, []string{id}) {
		t.Errorf("told of %v, want %s", told, id)
	}
	var claims []claim
	if err := c.own.NewSelect().Model(&claims).Scan(t.Context()); err != nil || len(claims) != 1 || !claims[0].Confirmed || claims[0].UserID != id {
		t.Errorf("claims %+v, %v", claims, err)
	}
}

var errCrash = errors.New("crash")

// crashAt has the store's calls end at a step, as a kill would.
func crashAt(s *Store, step string) *Store {
	crashing := *s
	crashing.step = func(at string) error {
		if at == step {
			return errCrash
		}
		return nil
	}
	return &crashing
}

// impatient thinks that every claim was given up.
func impatient(s *Store) *Store {
	hasty := *s
	hasty.grace = -time.Hour
	return &hasty
}

func registers(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	want := create(t, s, ada("1", "Ada", "US"))
	for _, replica := range []*Store{s, c.replica(t, sharding)} {
		for name, get := range map[string]func() (User, error){
			"by id":      func() (User, error) { return replica.Get(t.Context(), "1") },
			"by address": func() (User, error) { return replica.UserByEmail(t.Context(), "ada@example.com") },
		} {
			got, err := get()
			if !got.CreatedAt.Equal(want.CreatedAt) {
				t.Errorf("%s: created at %v, want %v", name, got.CreatedAt, want.CreatedAt)
			}
			if got.CreatedAt = want.CreatedAt; err != nil || got != want {
				t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
			}
		}
	}
	if _, err := s.Get(t.Context(), "2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	if _, err := s.UserByEmail(t.Context(), "eve@example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown address: %v", err)
	}
}

func refusesTaken(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	create(t, s, ada("1", "Ada", "US"))
	if _, err := impatient(s).Create(t.Context(), ada("2", "Zoe", "ASIA")); !errors.Is(err, ErrTaken) {
		t.Errorf("error %v, want %v", err, ErrTaken)
	}
	c.sole(t, s, "1")
}

func refusesAtOnce(t *testing.T, c *cluster, sharding string) {
	stores := []*Store{c.replica(t, sharding), c.replica(t, sharding), impatient(c.replica(t, sharding))}
	const callers = 12
	made := make(chan string, callers)
	failed := make(chan error, callers)
	for i := range callers {
		go func() {
			id := fmt.Sprint("u", i)
			_, err := stores[i%len(stores)].Create(context.Background(), ada(id, []string{"Ada", "Ida", "Zoe"}[i%3], []string{"US", "EU", "ASIA"}[i/3%3]))
			switch {
			case err == nil:
				made <- id
			case !errors.Is(err, ErrTaken) && !errors.Is(err, ErrPending):
				failed <- err
			}
			failed <- nil
		}()
	}
	for range callers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if len(made) > 1 {
		t.Fatalf("%d users got the address", len(made))
	}
	if len(made) == 0 { // the impatient ones gave everybody up; the next one gets it
		create(t, impatient(stores[0]), ada("last", "Ada", "EU"))
		made <- "last"
	}
	c.sole(t, stores[0], <-made)
}

func tells(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	create(t, s, ada("1", "Zoe", "ASIA"))
	on := c.rows(t)["1"]
	if len(on) != 1 {
		t.Fatalf("on %v", on)
	}
	for _, name := range c.order {
		n, err := c.shards[name].NewSelect().Table("outbox").Count(t.Context())
		if want := map[bool]int64{true: 1}[name == on[0]]; err != nil || n != want {
			t.Errorf("%s has %d events, %v; the user is on %s", name, n, err, on[0])
		}
	}
	if _, err := s.Create(t.Context(), wanted(User{ID: "1", Email: "another@example.com", Name: "Zoe", Region: "ASIA", CreatedAt: at})); err == nil {
		t.Error("a second user of the same id was kept")
	}
	if told := c.told(t); !slices.Equal(told, []string{"1"}) {
		t.Errorf("told of %v", told)
	}
}

func settles(t *testing.T, c *cluster, sharding string) {
	for step, want := range map[string]string{"claimed": "second", "kept": "first"} {
		t.Run(step, func(t *testing.T) {
			c := newCluster(t, c.open)
			s := c.replica(t, sharding)
			if _, err := crashAt(s, step).Create(t.Context(), ada("first", "Ada", "US")); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if user, err := s.UserByEmail(t.Context(), "ada@example.com"); (err == nil) != (want == "first") || err == nil && user.ID != "first" {
				t.Errorf("meanwhile: %+v, %v", user, err)
			}
			_, err := impatient(s).Create(t.Context(), ada("second", "Zoe", "ASIA"))
			if (err == nil) != (want == "second") || err != nil && !errors.Is(err, ErrTaken) {
				t.Errorf("the second: %v", err)
			}
			c.sole(t, s, want)
		})
	}
}

func settlesAgain(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	for i, step := range []string{"claimed", "voided", "voided", "claimed"} {
		_, err := crashAt(impatient(s), step).Create(t.Context(), ada(fmt.Sprint("u", i), []string{"Ada", "Ida"}[i%2], []string{"US", "EU"}[i/2]))
		if !errors.Is(err, errCrash) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	create(t, impatient(s), ada("last", "Zoe", "ASIA"))
	c.sole(t, s, "last")
}

func givesUp(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	slow := *s
	slow.step = func(at string) error { // it was slow for so long that another took the address
		if at == "claimed" {
			create(t, impatient(s), ada("quick", "Zoe", "ASIA"))
		}
		return nil
	}
	if _, err := slow.Create(t.Context(), ada("slow", "Ada", "US")); !errors.Is(err, ErrPending) {
		t.Errorf("error %v, want %v", err, ErrPending)
	}
	c.sole(t, s, "quick")
}

func takesOver(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	if _, err := crashAt(s, "claimed").Create(t.Context(), ada("dead", "Ada", "US")); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	second := impatient(s)
	second.step = func(at string) error {
		if at == "voided" {
			create(t, impatient(s), ada("quick", "Zoe", "ASIA"))
		}
		return nil
	}
	if _, err := second.Create(t.Context(), ada("slow", "Ida", "EU")); !errors.Is(err, ErrTaken) {
		t.Errorf("error %v, want %v", err, ErrTaken)
	}
	c.sole(t, s, "quick")
}

func waits(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	if _, err := crashAt(s, "claimed").Create(t.Context(), ada("first", "Ada", "US")); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	hasty := *s
	hasty.wait = time.Millisecond
	if _, err := hasty.Create(t.Context(), ada("second", "Zoe", "ASIA")); !errors.Is(err, ErrPending) {
		t.Errorf("error %v, want %v", err, ErrPending)
	}
	hasty.now = func() time.Time { return time.Now().Add(s.grace + time.Second) }
	create(t, &hasty, ada("second", "Zoe", "ASIA"))
	c.sole(t, s, "second")
}

func repeats(t *testing.T, c *cluster, sharding string) {
	for _, step := range []string{"claimed", "kept", "completed", ""} {
		t.Run("broken off when "+step, func(t *testing.T) {
			c := newCluster(t, c.open)
			s := c.replica(t, sharding)
			var completed []string
			request := func(id string) Registration {
				r := ada(id, "Ada", "US")
				r.Request = "the same"
				r.Completed = func(_ context.Context, _ bun.Tx, user User) error {
					if id == "first" && step == "completed" {
						return errCrash
					}
					completed = append(completed, user.ID)
					return nil
				}
				return r
			}
			if _, err := crashAt(s, step).Create(t.Context(), request("first")); (err == nil) != (step == "") || err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			kept := create(t, s, request("second"))
			again := create(t, s, request("third"))
			if kept.ID != again.ID || (kept.ID == "first") == (step == "claimed") {
				t.Errorf("the second got %s, the third %s", kept.ID, again.ID)
			}
			if len(completed) == 0 || completed[len(completed)-1] != kept.ID {
				t.Errorf("completed %v", completed)
			}
			other := request("fourth")
			other.Request = "another"
			if _, err := s.Create(t.Context(), other); !errors.Is(err, ErrTaken) {
				t.Errorf("another request: %v", err)
			}
			c.sole(t, s, kept.ID)
		})
	}
}

// insertEarly keeps a user as the version before does, and tells whether it did.
func (c *cluster) insertEarly(t *testing.T, id, email, name string) bool {
	t.Helper()
	result, err := c.own.NewRaw("INSERT INTO users (id, email, name, created_at, password_hash) VALUES (?, ?, ?, ?, ?) ON CONFLICT (email) DO NOTHING",
		id, email, name, at, "hash of "+id).Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

func movesIn(t *testing.T, c *cluster, sharding string) {
	c.before(t)
	names := []string{"Ada", "Émile", "007", "Ida", "Zoe", "Øre"}
	for i, name := range names {
		c.insertEarly(t, fmt.Sprint("u", i), fmt.Sprintf("u%d@example.com", i), name)
	}
	s := c.replica(t, sharding)
	all := func() {
		t.Helper()
		for i, name := range names {
			id := fmt.Sprint("u", i)
			if user, err := s.Get(t.Context(), id); err != nil || user.Name != name || user.PasswordHash != "hash of "+id || !user.CreatedAt.Equal(at) || user.Region != DefaultRegion {
				t.Errorf("by id: %+v, %v", user, err)
			}
			if user, err := s.UserByEmail(t.Context(), id+"@example.com"); err != nil || user.ID != id {
				t.Errorf("by address: %+v, %v", user, err)
			}
		}
	}
	all()
	if _, err := impatient(s).Create(t.Context(), wanted(User{ID: "new", Email: "u1@example.com", Name: "Ada", Region: "EU", CreatedAt: at})); !errors.Is(err, ErrTaken) {
		t.Errorf("an address from before: %v", err)
	}
	if _, err := crashAt(s, "copied").MoveIn(t.Context()); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	all()
	if moved, err := s.MoveIn(t.Context()); err != nil || moved != len(names) {
		t.Errorf("moved %d, %v", moved, err)
	}
	if moved, err := s.MoveIn(t.Context()); err != nil || moved != 0 {
		t.Errorf("moved %d again, %v", moved, err)
	}
	all()
	for id, shards := range c.rows(t) {
		if len(shards) != 1 {
			t.Errorf("%s is on %v", id, shards)
		}
	}
	if users, _, err := s.List(t.Context(), "", "", "", 10); err != nil || len(users) != len(names) {
		t.Errorf("%d users, %v", len(users), err)
	}
	if _, err := c.own.ExecContext(t.Context(), "DELETE FROM users"); err != nil { // as a later migration will
		t.Fatal(err)
	}
	all()
}

func sharesAddresses(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	create(t, s, ada("new", "Ada", "US"))
	if c.insertEarly(t, "old", "ada@example.com", "Ada") {
		t.Error("an old replica kept a second user of an address")
	}
	if !c.insertEarly(t, "bob", "bob@example.com", "Bob") {
		t.Error("an old replica could not keep a user")
	}
	bob := wanted(User{ID: "bob2", Email: "bob@example.com", Name: "Bob", Region: "EU", CreatedAt: at})
	if _, err := impatient(s).Create(t.Context(), bob); !errors.Is(err, ErrTaken) {
		t.Errorf("error %v, want %v", err, ErrTaken)
	}
	if user, err := s.Get(t.Context(), "bob"); err != nil || user.Name != "Bob" {
		t.Errorf("user %+v, %v", user, err)
	}
	if moved, err := s.MoveIn(t.Context()); err != nil || moved != 1 {
		t.Errorf("moved %d, %v", moved, err)
	}
	if rows := c.rows(t); len(rows) != 2 || len(rows["bob"]) != 1 || len(rows["new"]) != 1 {
		t.Errorf("rows %v", rows)
	}
}

func lists(t *testing.T, c *cluster, sharding string) {
	s := c.replica(t, sharding)
	var want []User
	for i, name := range []string{"Heidi", "émile", "Ada", "Zoe", "ADA", "Émile", "007", "ida", "Pat", "Quin", "Øre", "Ada"} {
		user := User{ID: fmt.Sprintf("u%02d", i), Email: fmt.Sprintf("%d@example.com", i), Name: name, Region: []string{"US", "EU", "ASIA"}[i%3], CreatedAt: at}
		want = append(want, create(t, s, wanted(user)))
	}
	// A registration that was given up is no user.
	if _, err := crashAt(s, "claimed").Create(t.Context(), ada("void", "Ada", "US")); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if _, err := crashAt(impatient(s), "voided").Create(t.Context(), ada("never", "Ada", "US")); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b User) int {
		if a.SortKey == b.SortKey {
			return map[bool]int{true: -1, false: 1}[a.ID < b.ID]
		}
		return map[bool]int{true: -1, false: 1}[a.SortKey < b.SortKey]
	})
	for _, test := range []struct {
		from, to string
		first, n int
	}{{"", "", 0, 12}, {"A", "H", 1, 6}, {"é", "É", 4, 2}, {"i", "p", 7, 3}, {"Q", "Z", 10, 2}, {"", "a", 0, 4}, {"Zo", "", 11, 1}, {"B", "C", 4, 0}, {"Ad", "A", 1, 3}} {
		for _, limit := range []int{1, 2, 5, 20} {
			var got []string
			after := ""
			for {
				page, next, err := s.List(t.Context(), test.from, test.to, after, limit)
				if err != nil || len(page) > limit {
					t.Fatalf("%s to %s: a page of %d, %v", test.from, test.to, len(page), err)
				}
				for _, user := range page {
					got = append(got, user.ID)
				}
				if after = next; next == "" {
					break
				}
			}
			var ids []string
			for _, user := range want[test.first : test.first+test.n] {
				ids = append(ids, user.ID)
			}
			if !slices.Equal(got, ids) {
				t.Errorf("%q to %q by %d: %v, want %v", test.from, test.to, limit, got, ids)
			}
		}
	}
	for _, bad := range [][3]string{{"b", "a", ""}, {"", "", "x"}, {"", "", shard.EncodeCursor("a")}, {"", "", shard.EncodeCursor("a\x00", "b")}} {
		if _, _, err := s.List(t.Context(), bad[0], bad[1], bad[2], 5); !errors.Is(err, ErrNoPage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func staysFixed(t *testing.T, c *cluster) {
	s := c.replica(t, ByRange)
	create(t, s, ada("1", "Zoe", "US"))
	if _, err := Open(t.Context(), c.options(ByHash)); err == nil || err.Error() != "users.sharding is hash, but the users are spread by range since the first start: set it back" {
		t.Errorf("error %v", err)
	}
	other := c.options(ByRange)
	slices.Reverse(other.Order) // new keys have other homes; those that are there stay
	turned, err := Open(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	c.sole(t, turned, "1")
	for _, name := range []string{"", "letters", "HASH"} {
		if _, err := Open(t.Context(), c.options(name)); err == nil {
			t.Errorf("%q was taken for a strategy", name)
		}
	}
	few := newCluster(t, c.open)
	opt := few.options(ByRegion)
	opt.Order = opt.Order[:2]
	if _, err := Open(t.Context(), opt); err == nil {
		t.Error("three regions were put on two shards")
	}
}

func knowsRegions(t *testing.T, c *cluster) {
	s := c.replica(t, ByRegion)
	for i, region := range []string{"US", "EU", "ASIA"} {
		create(t, s, wanted(User{ID: region, Email: region + "@example.com", Name: "Ada", Region: region, CreatedAt: at}))
		if at := c.rows(t)[region]; !slices.Equal(at, []string{c.order[i]}) {
			t.Errorf("%s is on %v", region, at)
		}
	}
	if _, err := s.Create(t.Context(), ada("x", "Ada", "MARS")); !errors.Is(err, shard.ErrUnknownRegion) {
		t.Errorf("error %v", err)
	}
	create(t, s, ada("x", "Ada", "EU")) // its address is free
}

func knowsNames(t *testing.T, c *cluster) {
	s := c.replica(t, ByRange)
	for name, want := range map[string]string{"Ada": "s1", "heidi": "s1", "Émile": "s1", "007": "s1", "Ida": "s2", "Øre": "s2", "pat": "s2", "Quin": "s3", "Zoe": "s3", "李": "s3"} {
		create(t, s, wanted(User{ID: name, Email: name + "@example.com", Name: name, Region: "EU", CreatedAt: at}))
		if at := c.rows(t)[name]; !slices.Equal(at, []string{want}) {
			t.Errorf("%s is on %v, want %s", name, at, want)
		}
		if user, err := s.Get(t.Context(), name); err != nil || user.Name != name {
			t.Errorf("%s: %+v, %v", name, user, err)
		}
	}
}

func keepsClients(t *testing.T, c *cluster) {
	s := c.replica(t, ByHash)
	if _, err := s.Client(t.Context(), "web"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
	for _, hash := range []string{"first", "second"} {
		if err := s.PutClient(t.Context(), Client{ID: "web", SecretHash: hash, Scopes: "a b", CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Client(t.Context(), "web"); err != nil || got.SecretHash != hash || got.Scopes != "a b" {
			t.Errorf("client %+v, error %v", got, err)
		}
	}
}
