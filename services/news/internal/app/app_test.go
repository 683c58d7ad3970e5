package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/database/databasetest"
	"github.com/trellis-mesh/trellis/services/news/internal/domain"
	"github.com/trellis-mesh/trellis/services/news/internal/store"
	"github.com/trellis-mesh/trellis/services/news/migrations"
)

// source is one that does as the test says.
type source struct {
	name  string
	asked atomic.Int64
	give  func(ctx context.Context) ([]domain.Article, error)
}

func (s *source) Name() string { return s.name }

func (s *source) Articles(ctx context.Context, _ time.Time) ([]domain.Article, error) {
	s.asked.Add(1)
	return s.give(ctx)
}

// offering is a source with so many articles.
func offering(name string, n int) *source {
	return &source{name: name, give: func(context.Context) ([]domain.Article, error) {
		var all []domain.Article
		for i := range n {
			all = append(all, domain.Article{
				ID: domain.ID(name, fmt.Sprint(i)), Source: name, Title: fmt.Sprint(i), Link: "https://example.com/", PublishedAt: noon,
			})
		}
		return all, nil
	}}
}

func failing(name string, err error) *source {
	return &source{name: name, give: func(context.Context) ([]domain.Article, error) { return nil, err }}
}

// hanging is a source that never answers.
func hanging(name string) *source {
	return &source{name: name, give: func(ctx context.Context) ([]domain.Article, error) {
		<-ctx.Done()
		return nil, &domain.Fault{Reason: "the source does not answer", Err: ctx.Err()}
	}}
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// clock is a time that the test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time        { return time.UnixMicro(c.at.Load()).UTC() }
func (c *clock) move(by time.Duration) { c.at.Add(by.Microseconds()) }

func newClock() *clock {
	c := &clock{}
	c.at.Store(noon.UnixMicro())
	return c
}

// replica is the service on a database that it shares with others.
func replica(t *testing.T, db *database.DB, c *clock, opt Options, sources ...*source) *News {
	t.Helper()
	var all []Source
	for _, s := range sources {
		all = append(all, s)
	}
	opt.Log = slog.New(slog.DiscardHandler)
	n, err := New(all, store.New(db), opt)
	if err != nil {
		t.Fatal(err)
	}
	n.now = c.now
	return n
}

func (n *News) stored(t *testing.T) int {
	t.Helper()
	all, err := n.List(t.Context(), "", nil, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func tick(t *testing.T, n *News, want bool) {
	t.Helper()
	ran, err := n.Tick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ran != want {
		t.Errorf("it ran: %v, want %v", ran, want)
	}
}

func TestAFailingAndAHangingSourceTakeNothingFromTheOthers(t *testing.T) {
	n := replica(t, databasetest.New(t, migrations.FS), newClock(), Options{Timeout: 20 * time.Millisecond, Parallel: 2},
		offering("shop", 3), hanging("trade"), failing("city", &domain.Fault{Reason: "the feed cannot be read", Err: errors.New("secret")}),
		failing("farm", errors.New("secret")), offering("world", 2))
	results, err := n.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Result{
		{Source: "shop", Status: OK, Found: 3, Added: 3},
		{Source: "trade", Status: Timeout, Reason: "the source did not answer in time"},
		{Source: "city", Status: Failed, Reason: "the feed cannot be read"},
		{Source: "farm", Status: Failed, Reason: "the source failed"},
		{Source: "world", Status: OK, Found: 2, Added: 2},
	}
	if diff := cmp.Diff(want, results, cmpopts.IgnoreFields(Result{}, "Took")); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if got := n.stored(t); got != 5 {
		t.Errorf("%d articles are stored, want 5", got)
	}
}

// forgetful keeps nothing.
type forgetful struct{ Store }

func (forgetful) Claim(context.Context, string, string, time.Time, time.Time) (bool, error) {
	return true, nil
}
func (forgetful) Release(context.Context, string, string) error                  { return nil }
func (forgetful) Keep(context.Context, []domain.Article, time.Time) (int, error) { return 0, nil }

func TestSourcesAreAskedAtTheSameTimeWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside atomic.Int64
		answer := make(chan struct{})
		var sources []Source
		for i := range 8 {
			sources = append(sources, &source{name: fmt.Sprint(i), give: func(context.Context) ([]domain.Article, error) {
				inside.Add(1)
				defer inside.Add(-1)
				<-answer
				return nil, nil
			}})
		}
		n, err := New(sources, forgetful{}, Options{Parallel: 3})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := n.Refresh(t.Context())
			done <- err
		}()
		for asked := int64(3); asked <= 8; asked++ {
			synctest.Wait() // for everybody to stand still
			if got := inside.Load(); got != 3 {
				t.Errorf("%d sources are asked at once, want 3", got)
			}
			answer <- struct{}{}
		}
		close(answer)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatASourceGaveIsKeptBeforeTheOthersAnswer(t *testing.T) {
	slow := make(chan struct{})
	trade := &source{name: "trade", give: func(ctx context.Context) ([]domain.Article, error) {
		select {
		case <-slow:
		case <-ctx.Done():
		}
		return nil, nil
	}}
	n := replica(t, databasetest.New(t, migrations.FS), newClock(), Options{Timeout: time.Minute}, offering("shop", 3), trade)
	done := make(chan error, 1)
	go func() {
		_, err := n.Refresh(t.Context())
		done <- err
	}()
	for n.stored(t) != 3 { // the test's own limit ends this, when what is found waits for all
	}
	close(slow)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestNoArticleIsStoredTwiceOverManyRuns(t *testing.T) {
	c, shop := newClock(), offering("shop", 3)
	n := replica(t, databasetest.New(t, migrations.FS), c, Options{}, shop)
	for hour := range 5 {
		tick(t, n, true)
		if results, err := n.Refresh(t.Context()); err != nil || results[0].Found != 3 || results[0].Added != 0 {
			t.Errorf("hour %d: %+v, %v", hour, results, err)
		}
		c.move(time.Hour)
	}
	if got := n.stored(t); got != 3 {
		t.Errorf("%d articles are stored, want 3", got)
	}
}

func TestOneReplicaHasTheHour(t *testing.T) {
	db, c, shop := databasetest.New(t, migrations.FS), newClock(), offering("shop", 3)
	replicas := []*News{replica(t, db, c, Options{}, shop), replica(t, db, c, Options{}, shop), replica(t, db, c, Options{}, shop)}
	for hour := range 3 {
		for range 2 { // the second minute finds it done
			var ran atomic.Int64
			var group sync.WaitGroup
			for _, n := range replicas {
				group.Go(func() {
					mine, err := n.Tick(t.Context())
					if err != nil {
						t.Error(err)
					}
					if mine {
						ran.Add(1)
					}
				})
			}
			group.Wait()
			c.move(time.Minute)
		}
		if got := shop.asked.Load(); got != int64(hour+1) {
			t.Errorf("hour %d: the source was asked %d times", hour, got)
		}
		c.move(58 * time.Minute)
	}
}

// crash is what a run of a process looks like that is killed when its source was asked.
func crash(t *testing.T, db *database.DB, c *clock) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	dying := &source{name: "shop", give: func(ctx context.Context) ([]domain.Article, error) {
		kill()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	n := replica(t, db, c, Options{}, dying)
	if _, err := n.Tick(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestTheHourOfADeadReplicaIsTakenUpAfterItsLease(t *testing.T) {
	db, c := databasetest.New(t, migrations.FS), newClock()
	crash(t, db, c)
	second := replica(t, db, c, Options{}, offering("shop", 3))
	lease := second.longest() + slack
	c.move(lease - time.Second)
	tick(t, second, false)
	c.move(time.Second)
	tick(t, second, true)
	if got := second.stored(t); got != 3 {
		t.Errorf("%d articles are stored, want 3", got)
	}
	c.move(lease)
	tick(t, second, false)
}

func TestAnHourInWhichAllSourcesFailIsTriedAgain(t *testing.T) {
	db, c := databasetest.New(t, migrations.FS), newClock()
	away := failing("shop", errors.New("away"))
	n := replica(t, db, c, Options{}, away)
	tick(t, n, true)
	tick(t, n, false)
	c.move(n.longest() + slack)
	tick(t, n, true)
	if got := away.asked.Load(); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

func TestOfTwoRequestsAtOnceTheSecondIsToldSo(t *testing.T) {
	db, c := databasetest.New(t, migrations.FS), newClock()
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := &source{name: "shop", give: func(ctx context.Context) ([]domain.Article, error) {
		close(asked)
		select {
		case <-answer:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	}}
	first := replica(t, db, c, Options{Timeout: time.Minute}, slow)
	second := replica(t, db, c, Options{}, offering("shop", 1))
	done := make(chan error, 1)
	go func() {
		_, err := first.Refresh(t.Context())
		done <- err
	}()
	<-asked
	if _, err := second.Refresh(t.Context()); !errors.Is(err, ErrRunning) {
		t.Errorf("error %v, want %v", err, ErrRunning)
	}
	tick(t, second, true) // the hour is another matter
	close(answer)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := second.Refresh(t.Context()); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}

func TestARequestWhoseClientHangsUpKeepsNobodyAway(t *testing.T) {
	db, c := databasetest.New(t, migrations.FS), newClock()
	ctx, hangUp := context.WithCancel(t.Context())
	n := replica(t, db, c, Options{Timeout: time.Minute}, &source{name: "shop", give: func(ctx context.Context) ([]domain.Article, error) {
		hangUp()
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	if _, err := n.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	second := replica(t, db, c, Options{}, offering("shop", 1))
	if results, err := second.Refresh(t.Context()); err != nil || results[0].Added != 1 {
		t.Errorf("%+v, %v", results, err)
	}
}

func TestARequestLeavesTimeToKeepWhatWasFound(t *testing.T) {
	n := replica(t, databasetest.New(t, migrations.FS), newClock(), Options{Timeout: time.Hour}, offering("shop", 3), hanging("trade"))
	ctx, cancel := context.WithTimeout(t.Context(), storing+50*time.Millisecond)
	defer cancel()
	results, err := n.Refresh(ctx)
	if err != nil || ctx.Err() != nil {
		t.Fatalf("%v, %v", err, ctx.Err())
	}
	if results[0].Added != 3 || results[1].Status != Timeout {
		t.Errorf("results %+v", results)
	}
}

func TestOldAndExcessArticlesAreDropped(t *testing.T) {
	db, c := databasetest.New(t, migrations.FS), newClock()
	opt := Options{Retention: 48 * time.Hour, Latest: 4}
	tick(t, replica(t, db, c, opt, offering("shop", 6), offering("city", 3)), true)
	city := replica(t, db, c, opt, offering("city", 3), offering("shop", 0))
	if got := city.stored(t); got != 7 {
		t.Errorf("%d articles are stored, want 4 and 3", got)
	}
	c.move(48 * time.Hour)
	tick(t, city, true)
	if got := city.stored(t); got != 7 {
		t.Errorf("%d articles are stored, want all of the last two days", got)
	}
	c.move(time.Hour)
	tick(t, city, true)
	if got := city.stored(t); got != 3 {
		t.Errorf("%d articles are stored, want those that are still offered", got)
	}
}

func TestAnErrorOfTheDatabaseIsTold(t *testing.T) {
	db := databasetest.New(t, migrations.FS)
	n := replica(t, db, newClock(), Options{}, offering("shop", 1))
	if _, err := db.ExecContext(t.Context(), "DROP TABLE articles"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Refresh(t.Context()); err == nil {
		t.Error("nothing was kept, and nobody was told")
	}
	if _, err := n.Tick(t.Context()); err == nil {
		t.Error("nothing was kept, and nobody was told")
	}
}

func TestRunAsksAtOnceAndEndsWithItsContext(t *testing.T) {
	db := databasetest.New(t, migrations.FS)
	ignore := goleak.IgnoreCurrent()
	ctx, stop := context.WithCancel(t.Context())
	asked := make(chan struct{})
	n := replica(t, db, newClock(), Options{}, &source{name: "shop", give: func(context.Context) ([]domain.Article, error) {
		close(asked)
		return nil, nil
	}})
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	<-asked
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, ignore)
}
