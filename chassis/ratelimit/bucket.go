package ratelimit

import (
	"container/list"
	"context"
	"errors"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// TokenBucketOptions tune a TokenBucket. The zero value is right for a service.
type TokenBucketOptions struct {
	Burst int              // how many requests may come at once; default 100
	Rate  float64          // how many a second may come after them; default 10
	Keys  int              // how many keys have a bucket of their own; default 100000, about 30 MiB
	Now   func() time.Time // default: time.Now
}

// sharedBuckets are for the keys that there is no room for.
const sharedBuckets = 1024

// TokenBucket is a limiter in memory: of this process alone, which a service of several replicas multiplies.
//
// Its memory is bounded, and a flood of keys resets nobody's bucket: only one that is full again, and so no different from a
// new one, is forgotten. While all of them are in use, further keys share buckets.
type TokenBucket struct {
	opt  TokenBucketOptions
	fill time.Duration // from empty to full
	seed maphash.Seed

	mu     sync.Mutex
	byKey  map[string]*list.Element
	used   *list.List // of *bucket, the one used longest ago first
	shared [sharedBuckets]*rate.Limiter
}

type bucket struct {
	key     string
	limiter *rate.Limiter
	last    time.Time
}

// NewTokenBucket makes a limiter in memory.
func NewTokenBucket(opt TokenBucketOptions) (*TokenBucket, error) {
	if opt.Burst == 0 {
		opt.Burst = 100
	}
	if opt.Rate == 0 {
		opt.Rate = 10
	}
	if opt.Keys == 0 {
		opt.Keys = 100_000
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Burst < 0 || opt.Keys < 0 || !(opt.Rate > 0) || math.IsInf(opt.Rate, 1) {
		return nil, errors.New("ratelimit: a token bucket's burst, rate and keys must be positive numbers")
	}
	return &TokenBucket{
		opt: opt, fill: seconds(float64(opt.Burst) / opt.Rate), seed: maphash.MakeSeed(),
		byKey: map[string]*list.Element{}, used: list.New(),
	}, nil
}

// Allow implements Limiter. It never fails.
func (b *TokenBucket) Allow(_ context.Context, key string) (Decision, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.opt.Now()
	limiter := b.of(key, now)
	d := Decision{Allowed: limiter.AllowN(now, 1), Limit: b.opt.Burst}
	tokens := limiter.TokensAt(now)
	d.Remaining = max(int(tokens), 0)
	d.Reset = seconds((float64(b.opt.Burst) - tokens) / b.opt.Rate)
	if !d.Allowed {
		d.RetryAfter = max(seconds((1-tokens)/b.opt.Rate), 1)
	}
	return d, nil
}

// of gives the key's bucket and notes its use.
func (b *TokenBucket) of(key string, now time.Time) *rate.Limiter {
	if e := b.byKey[key]; e != nil {
		b.used.MoveToBack(e)
		there, _ := e.Value.(*bucket)
		there.last = now
		return there.limiter
	}
	b.forget(now)
	if len(b.byKey) >= b.opt.Keys {
		return b.sharedBy(key)
	}
	made := &bucket{key: key, limiter: b.full(), last: now}
	b.byKey[key] = b.used.PushBack(made)
	return made.limiter
}

// forget drops buckets that must be full. Two for each new one are enough to get rid of all.
func (b *TokenBucket) forget(now time.Time) {
	for range 2 {
		oldest := b.used.Front()
		if oldest == nil {
			return
		}
		old, _ := oldest.Value.(*bucket)
		if now.Sub(old.last) < b.fill {
			return
		}
		b.used.Remove(oldest)
		delete(b.byKey, old.key)
	}
}

func (b *TokenBucket) sharedBy(key string) *rate.Limiter {
	i := maphash.String(b.seed, key) % sharedBuckets // seeded, so that nobody can aim at another's
	if b.shared[i] == nil {
		b.shared[i] = b.full()
	}
	return b.shared[i]
}

func (b *TokenBucket) full() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(b.opt.Rate), b.opt.Burst)
}

// seconds rounds up, so that whoever waits so long has waited long enough.
func seconds(s float64) time.Duration {
	return time.Duration(math.Ceil(max(s, 0) * float64(time.Second)))
}
