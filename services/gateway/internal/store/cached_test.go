package store

import (
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func newCached(t *testing.T) (*Cached, *miniredis.Miniredis) {
	t.Helper()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	s := newStore(t)
	if err := s.Create(t.Context(), newItem("1")); err != nil {
		t.Fatal(err)
	}
	return NewCached(s, client), server
}

func TestCachedAnswersFromRedisTheSecondTime(t *testing.T) {
	c, server := newCached(t)
	first, err := c.Get(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if keys := server.Keys(); len(keys) != 1 || server.TTL(keys[0]) != timeToLive {
		t.Fatalf("keys %v", keys)
	}
	c.store = newStore(t) // which knows nothing
	second, err := c.Get(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if second.Name != first.Name || !second.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("got %+v, want %+v", second, first)
	}
}

func TestCachedAnswersWithoutRedis(t *testing.T) {
	c, server := newCached(t)
	server.SetError("LOADING Redis is loading the dataset in memory")
	got, err := c.Get(t.Context(), "1")
	if err != nil || got.Name != "Ada" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCachedKeepsNoUnknownID(t *testing.T) {
	c, server := newCached(t)
	if _, err := c.Get(t.Context(), "2"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
	if keys := server.Keys(); len(keys) > 0 {
		t.Errorf("keys %v", keys)
	}
}

func TestCachedListsWhatTheStoreHas(t *testing.T) {
	c, _ := newCached(t)
	if err := c.Create(t.Context(), newItem("2")); err != nil {
		t.Fatal(err)
	}
	routes, err := c.List(t.Context(), "1", 2)
	if err != nil || len(routes) != 1 || routes[0].ID != "2" {
		t.Errorf("got %+v, %v", routes, err)
	}
}

func TestCachedAsksTheStoreForWhatItForgot(t *testing.T) {
	c, _ := newCached(t)
	if _, err := c.Get(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	c.store = newStore(t) // where it is gone
	if err := c.Forget(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v, want %v", err, ErrNotFound)
	}
}
