// Package cache keeps copies of products in Redis, beside the database, for those who read.
//
// A reader who finds no copy takes a lease on the key, reads the database, and leaves a copy there if the lease is still his. A writer
// puts a hold on the key before the change is committed and removes the key after: that ends every lease, so what was read before
// the change is never left behind after it, however long it took on its way. A writer who is killed in between leaves a hold
// that ends by itself. While there is a lease of somebody else, or a hold, the database is asked and nothing is left.
//
// Without Redis the database is asked; one request a second finds out whether Redis is back. What could not be removed meanwhile
// is removed then. Should this process end before, or another reach Redis while this one does not, a copy is out of date for as long as
// copies are kept at the most, which is Options.TTL and a tenth.
package cache

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/catalog/internal/store"
)

// Options tune a cache. The zero value is right for the service.
type Options struct {
	TTL      time.Duration         // how long a copy is kept, and up to a tenth more, so that not all end at once; default 1m
	Absent   time.Duration         // how long it is remembered that there is no such product; default 5s
	Lease    time.Duration         // how long a reader may take from not finding a copy to leaving one; default 3s
	Hold     time.Duration         // how long a writer may take to commit; default 10s
	Timeout  time.Duration         // how long Redis may take; default 100ms
	Again    time.Duration         // when Redis is asked again after it has not answered; default 1s
	Log      *slog.Logger          // default: slog.Default
	Registry prometheus.Registerer // nil: no metrics
}

func (o Options) withDefaults() Options {
	o.TTL = cmp.Or(o.TTL, time.Minute)
	o.Absent = cmp.Or(o.Absent, 5*time.Second)
	o.Lease = cmp.Or(o.Lease, 3*time.Second)
	o.Hold = cmp.Or(o.Hold, 10*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 100*time.Millisecond)
	o.Again = cmp.Or(o.Again, time.Second)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Source is where products are when there is no copy. It gives store.ErrNotFound for an id that is not known.
type Source func(ctx context.Context, id string) (store.Product, error)

// Cache is a store.Guard, and reads through.
type Cache struct {
	client redis.UniversalClient
	source Source
	opt    Options

	flights  singleflight.Group
	askAgain atomic.Int64 // when Redis may be asked again, in nanoseconds; 0 while it answers
	lookups  *prometheus.CounterVec

	mu     sync.Mutex
	doomed map[string]time.Time // ids whose copy is to be removed, and when it will be gone by itself
}

// New makes a cache before a source. Run must run for what could not be removed to be removed later.
func New(client redis.UniversalClient, source Source, opt Options) (*Cache, error) {
	c := &Cache{
		client: client, source: source, opt: opt.withDefaults(), doomed: map[string]time.Time{},
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "product_cache_lookups_total",
			Help: "Lookups of products by what they found: hit; absent, a note that there is none; miss; busy, somebody else's lease or hold; away, no Redis.",
		}, []string{"result"}),
	}
	if opt.Registry != nil {
		if err := opt.Registry.Register(c.lookups); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// What a key can have, by its first letter. The number in the key changes with the form of a copy.
const (
	copied = 'p' // and the product in JSON
	absent = 'n'
	leased = 'l' // and whose it is
	held   = 'h'
)

func key(id string) string { return "catalog:1:product:" + id }

// look gives what the key has, or leaves a lease there.
var look = redis.NewScript(`
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`)

// fill leaves a copy if the lease is still there.
var fill = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

// Get gives the product of an id from a copy, else from the source. Those who ask for the same product at the same time ask once.
func (c *Cache) Get(ctx context.Context, id string) (store.Product, error) {
	flight := c.flights.DoChan(id, func() (any, error) {
		// It is for all who wait, so it does not end with the first of them.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opt.Lease)
		defer cancel()
		return c.get(ctx, id)
	})
	select {
	case got := <-flight:
		product, _ := got.Val.(store.Product)
		return product, got.Err
	case <-ctx.Done():
		return store.Product{}, ctx.Err()
	}
}

func (c *Cache) get(ctx context.Context, id string) (store.Product, error) {
	lease := string(leased) + uuid.NewString()
	found, err := "", errAway
	if !c.isDoomed(id) {
		err = c.ask(ctx, func(ctx context.Context) (err error) {
			found, err = look.Run(ctx, c.client, []string{key(id)}, lease, c.opt.Lease.Milliseconds()).Text()
			return err
		})
	}
	var product store.Product
	switch {
	case errors.Is(err, redis.Nil):
		c.lookups.WithLabelValues("miss").Inc()
		return c.fill(ctx, id, lease)
	case err != nil:
		c.lookups.WithLabelValues("away").Inc()
	case found == string(absent):
		c.lookups.WithLabelValues("absent").Inc()
		return store.Product{}, store.ErrNotFound
	case strings.HasPrefix(found, string(copied)) && json.Unmarshal([]byte(found[1:]), &product) == nil:
		c.lookups.WithLabelValues("hit").Inc()
		return product, nil
	default:
		c.lookups.WithLabelValues("busy").Inc()
	}
	return c.source(ctx, id)
}

// fill asks the source and leaves a copy.
func (c *Cache) fill(ctx context.Context, id, lease string) (store.Product, error) {
	product, err := c.source(ctx, id)
	value, ttl := []byte{absent}, c.opt.Absent
	switch {
	case err == nil:
		ttl = c.opt.TTL
		text, err := json.Marshal(product)
		if err != nil {
			return product, nil //nolint:nilerr // it need not be kept
		}
		value = append([]byte{copied}, text...)
	case !errors.Is(err, store.ErrNotFound):
		return product, err
	}
	ttl += rand.N(ttl/10 + 1)                        //nolint:gosec // jitter needs no secrecy
	_ = c.ask(ctx, func(ctx context.Context) error { // seen in the metrics of Redis; the lease ends by itself
		return fill.Run(ctx, c.client, []string{key(id)}, lease, value, ttl.Milliseconds()).Err()
	})
	return product, err
}

var errAway = errors.New("no answer from Redis a moment ago")

// ask asks Redis, unless it has just not answered.
func (c *Cache) ask(ctx context.Context, do func(context.Context) error) error {
	if at := c.askAgain.Load(); at != 0 {
		now := time.Now().UnixNano()
		if now < at || !c.askAgain.CompareAndSwap(at, now+int64(c.opt.Again)) { // one asks, the others do not wait
			return errAway
		}
	}
	asking, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	err := do(asking)
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		if c.askAgain.Load() != 0 && c.askAgain.Swap(0) != 0 {
			c.opt.Log.InfoContext(ctx, "Redis answers again; products are cached")
		}
	case ctx.Err() != nil: // says nothing of Redis
	default:
		if c.askAgain.Swap(time.Now().Add(c.opt.Again).UnixNano()) == 0 {
			c.opt.Log.WarnContext(ctx, "Redis does not answer; products are read from the database", "error", telemetry.Redact(err.Error()))
		}
	}
	return err
}
