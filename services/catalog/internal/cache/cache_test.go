package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// source is the database: a product at a version, or none at version 0.
type source struct {
	version atomic.Int64
	asked   atomic.Int64
	during  func() // called while the database is read, after it has been looked at
}

func (s *source) get(ctx context.Context, id string) (store.Product, error) {
	s.asked.Add(1)
	version := int(s.version.Load())
	if s.during != nil {
		s.during()
	}
	if ctx.Err() != nil {
		return store.Product{}, ctx.Err()
	}
	if version == 0 {
		return store.Product{}, store.ErrNotFound
	}
	return store.Product{ID: id, Name: "Tea", Version: version}, nil
}

// newCache is patient, unless the test says otherwise: a busy machine is not what it is about.
func newCache(t *testing.T, addr string, s *source, opt Options) *Cache {
	t.Helper()
	opt.Timeout, opt.Lease = cmp.Or(opt.Timeout, 20*time.Second), cmp.Or(opt.Lease, 20*time.Second)
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true}) // as package chassis does
	t.Cleanup(func() { _ = client.Close() })
	c, err := New(client, s.get, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wants fails unless a lookup gives the version, with so many questions to the source in all.
func wants(t *testing.T, c *Cache, s *source, version int, asked int64) {
	t.Helper()
	got, err := c.Get(t.Context(), "1")
	if version == 0 {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("error %v, want %v", err, store.ErrNotFound)
		}
	} else if err != nil || got.Version != version || got.Name != "Tea" {
		t.Errorf("got %+v, %v; want version %d", got, err, version)
	}
	if n := s.asked.Load(); n != asked {
		t.Errorf("the source was asked %d times, want %d", n, asked)
	}
}

func TestSecondLookupIsAnsweredByTheCopy(t *testing.T) {
	server, s, registry := miniredis.RunT(t), &source{}, prometheus.NewRegistry()
	s.version.Store(1)
	c := newCache(t, server.Addr(), s, Options{Registry: registry})
	wants(t, c, s, 1, 1)
	wants(t, c, s, 1, 1)
	if ttl := server.TTL(key("1")); ttl < time.Minute || ttl > 66*time.Second {
		t.Errorf("the copy is kept for %v", ttl)
	}
	server.FastForward(67 * time.Second)
	wants(t, c, s, 1, 2)
	want := `
# HELP product_cache_lookups_total Lookups of products by what they found: hit; absent, a note that there is none; miss; busy, somebody else's lease or hold; away, no Redis.
# TYPE product_cache_lookups_total counter
product_cache_lookups_total{result="hit"} 1
product_cache_lookups_total{result="miss"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "product_cache_lookups_total"); err != nil {
		t.Error(err)
	}
}

func TestAbsenceIsRememberedShortly(t *testing.T) {
	server, s := miniredis.RunT(t), &source{}
	c := newCache(t, server.Addr(), s, Options{})
	wants(t, c, s, 0, 1)
	wants(t, c, s, 0, 1)
	s.version.Store(1)
	server.FastForward(6 * time.Second)
	wants(t, c, s, 1, 2)
}

// TestWhatWasReadBeforeAChangeIsNotLeftAfterIt has the change happen while a reader is between the database and the cache.
func TestWhatWasReadBeforeAChangeIsNotLeftAfterIt(t *testing.T) {
	for name, change := range map[string]func(c *Cache, s *source){
		"a whole change": func(c *Cache, s *source) {
			c.Hold(t.Context(), []string{"1"})
			s.version.Store(2)
			c.Release(t.Context(), []string{"1"})
		},
		"by a process that was killed": func(c *Cache, s *source) {
			c.Hold(t.Context(), []string{"1"})
			s.version.Store(2)
		},
		"without a hold, as Redis was away": func(c *Cache, s *source) {
			s.version.Store(2)
			c.Release(t.Context(), []string{"1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, s := miniredis.RunT(t), &source{}
			s.version.Store(1)
			reader, writer := newCache(t, server.Addr(), s, Options{}), newCache(t, server.Addr(), s, Options{})
			s.during = func() {
				s.during = nil
				change(writer, s)
			}
			if _, err := reader.Get(t.Context(), "1"); err != nil {
				t.Fatal(err)
			}
			got, err := reader.Get(t.Context(), "1")
			if err != nil || got.Version != 2 {
				t.Errorf("after the change: version %d, %v", got.Version, err)
			}
		})
	}
}

func TestHoldEndsByItself(t *testing.T) {
	server, s := miniredis.RunT(t), &source{}
	s.version.Store(1)
	c := newCache(t, server.Addr(), s, Options{})
	c.Hold(t.Context(), []string{"1"})
	wants(t, c, s, 1, 1)
	wants(t, c, s, 1, 2) // nothing was left
	server.FastForward(11 * time.Second)
	wants(t, c, s, 1, 3)
	wants(t, c, s, 1, 3)
}

func TestManyWhoAskAtOnceAskTheSourceOnce(t *testing.T) {
	server, s := miniredis.RunT(t), &source{}
	s.version.Store(1)
	gate := make(chan struct{})
	s.during = func() { <-gate }
	c := newCache(t, server.Addr(), s, Options{})
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if got, err := c.Get(t.Context(), "1"); err != nil || got.Version != 1 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	eventually(t, func() bool { return s.asked.Load() == 1 })
	close(gate)
	wait.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("the source was asked %d times", n)
	}
}

func TestWhoLeavesDoesNotTakeTheOthersAnswer(t *testing.T) {
	server, s := miniredis.RunT(t), &source{}
	s.version.Store(1)
	gate := make(chan struct{})
	s.during = func() { <-gate }
	c := newCache(t, server.Addr(), s, Options{})
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Get(ctx, "1"); first <- err }()
	eventually(t, func() bool { return s.asked.Load() == 1 })
	stays := &watched{Context: t.Context(), waits: make(chan struct{})}
	go func() { _, err := c.Get(stays, "1"); second <- err }()
	<-stays.waits
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(gate)
	if err := <-second; err != nil {
		t.Errorf("who stayed got %v", err)
	}
}

// watched tells when somebody begins to wait for it.
type watched struct {
	context.Context

	once  sync.Once
	waits chan struct{}
}

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waits) })
	return w.Context.Done()
}

func TestWithoutRedisTheSourceAnswers(t *testing.T) {
	server, s := miniredis.RunT(t), &source{}
	s.version.Store(1)
	c := newCache(t, server.Addr(), s, Options{Again: 10 * time.Millisecond})
	wants(t, c, s, 1, 1)
	server.Close()
	s.version.Store(2)
	wants(t, c, s, 2, 2)
	wants(t, c, s, 2, 3)
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	server.FlushAll()
	eventually(t, func() bool { // until nobody asks the source any more
		before := s.asked.Load()
		got, err := c.Get(t.Context(), "1")
		return err == nil && got.Version == 2 && s.asked.Load() == before
	})
}

func TestRedisThatHangsCostsLittle(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hung.Close() })
	s := &source{}
	s.version.Store(1)
	c := newCache(t, hung.Addr().String(), s, Options{Timeout: 50 * time.Millisecond, Again: time.Minute})
	begun := time.Now()
	for i := range 100 {
		wants(t, c, s, 1, int64(i+1))
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("a hundred lookups took %v", took)
	}
}

// TestWhatChangedWithoutRedisIsRemovedWhenItIsBack leaves an old copy behind, in a Redis that keeps it over its absence.
func TestWhatChangedWithoutRedisIsRemovedWhenItIsBack(t *testing.T) {
	server, s := miniredis.RunT(t), &source{}
	s.version.Store(1)
	writer := newCache(t, server.Addr(), s, Options{Again: 20 * time.Millisecond})
	reader := newCache(t, server.Addr(), s, Options{Again: 20 * time.Millisecond})
	wants(t, writer, s, 1, 1)
	server.Close()
	writer.Hold(t.Context(), []string{"1"})
	s.version.Store(2)
	writer.Release(t.Context(), []string{"1"})
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if !server.Exists(key("1")) {
		t.Fatal("the old copy is not there any more")
	}
	if got, err := writer.Get(t.Context(), "1"); err != nil || got.Version != 2 {
		t.Errorf("the writer reads version %d, %v", got.Version, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- writer.Run(ctx) }()
	eventually(t, func() bool {
		got, err := reader.Get(t.Context(), "1")
		return err == nil && got.Version == 2
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWhatIsToBeRemovedIsBound(t *testing.T) {
	c := newCache(t, "127.0.0.1:1", &source{}, Options{})
	ids := make([]string, 2*maxDoomed)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	c.doom(ids)
	if len(c.doomed) != maxDoomed {
		t.Errorf("%d are remembered", len(c.doomed))
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not come to hold")
		}
	}
}
