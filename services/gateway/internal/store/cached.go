package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Cached is a Store that looks into Redis before it gives a route by its id. It has those methods only that stand below: one
// that Store gains has to be added here before handlers can call it. A method that changes or removes a route must call
// Forget when Store has done it, or Get gives the old one for as long as timeToLive.
type Cached struct {
	store *Store
	cache redis.UniversalClient
}

// timeToLive is how long a cached route is used.
const timeToLive = time.Hour

// NewCached puts a cache before a store.
func NewCached(store *Store, cache redis.UniversalClient) *Cached {
	return &Cached{store: store, cache: cache}
}

// Create keeps a route. The cache has nothing of an id that was not known.
func (c *Cached) Create(ctx context.Context, route Route) error {
	return c.store.Create(ctx, route)
}

// Get gives the route of an id, or ErrNotFound. Without Redis it takes longer, and nothing else.
func (c *Cached) Get(ctx context.Context, id string) (Route, error) {
	key := cacheKey(id)
	var route Route
	if cached, err := c.cache.Get(ctx, key).Bytes(); err == nil && json.Unmarshal(cached, &route) == nil {
		return route, nil
	}
	route, err := c.store.Get(ctx, id)
	if err != nil {
		return Route{}, err
	}
	value, err := json.Marshal(route)
	if err != nil {
		return Route{}, fmt.Errorf("encode route: %w", err)
	}
	_ = c.cache.Set(ctx, key, value, timeToLive).Err() // seen in the cache's metrics
	return route, nil
}

// List gives at most limit routes with ids greater than after, in the order of their ids. It is not cached.
func (c *Cached) List(ctx context.Context, after string, limit int) ([]Route, error) {
	return c.store.List(ctx, after, limit)
}

// Forget takes the route of an id out of the cache. A Get that is under way may still put the old one back.
func (c *Cached) Forget(ctx context.Context, id string) error {
	if err := c.cache.Del(ctx, cacheKey(id)).Err(); err != nil {
		return fmt.Errorf("forget route: %w", err)
	}
	return nil
}

func cacheKey(id string) string { return "gateway:route:" + id }
