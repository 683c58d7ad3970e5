package cache

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxDoomed bounds what is remembered while Redis is away. The copies of more products than that end by themselves.
const maxDoomed = 10_000

// Hold keeps copies from being given or left until Release, or for Options.Hold.
func (c *Cache) Hold(ctx context.Context, ids []string) {
	err := c.ask(ctx, func(ctx context.Context) error {
		_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range ids {
				p.Set(ctx, key(id), string(held), c.opt.Hold)
			}
			return nil
		})
		return err
	})
	if err != nil {
		c.doom(ids)
	}
}

// Release removes whatever is there of the products: the hold, and leases of those who have read what was before.
func (c *Cache) Release(ctx context.Context, ids []string) {
	for _, id := range ids {
		c.flights.Forget(id) // it began before the change; who asks now is to see it
	}
	if err := c.remove(ctx, ids); err != nil {
		c.doom(ids)
		return
	}
	c.spare(ids)
}

func (c *Cache) remove(ctx context.Context, ids []string) error {
	return c.ask(ctx, func(ctx context.Context) error {
		_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range ids {
				p.Del(ctx, key(id))
			}
			return nil
		})
		return err
	})
}

// doom remembers copies that have to be removed.
func (c *Cache) doom(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gone := time.Now().Add(c.opt.TTL + c.opt.TTL/10 + c.opt.Hold)
	for _, id := range ids {
		if _, known := c.doomed[id]; known || len(c.doomed) < maxDoomed {
			c.doomed[id] = gone
		}
	}
}

func (c *Cache) spare(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		delete(c.doomed, id)
	}
}

func (c *Cache) isDoomed(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	gone, ok := c.doomed[id]
	return ok && time.Now().Before(gone)
}

// Run removes what could not be removed, as soon as Redis answers, until ctx ends.
func (c *Cache) Run(ctx context.Context) error {
	tick := time.NewTicker(c.opt.Again / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.sweep(ctx)
		}
	}
}

func (c *Cache) sweep(ctx context.Context) {
	c.mu.Lock()
	now := time.Now()
	maps.DeleteFunc(c.doomed, func(_ string, gone time.Time) bool { return gone.Before(now) })
	ids := slices.Collect(maps.Keys(c.doomed))
	c.mu.Unlock()
	for some := range slices.Chunk(ids, 500) {
		if c.remove(ctx, some) != nil {
			return
		}
		c.spare(some)
	}
}
