package ratelimit_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/ratelimit"
)

// bench is a limiter under test, of limit requests in a window.
type bench struct {
	ratelimit.Limiter
	advance func(d time.Duration) // lets time pass
}

// conformance checks what every limiter promises. Exact says that time passes only by advance; else window is short.
func conformance(t *testing.T, exact bool, window time.Duration, open func(t *testing.T, limit int, window time.Duration) bench) {
	t.Helper()
	t.Run("of two hundred at a time a hundred pass", func(t *testing.T) {
		b := open(t, 100, time.Minute)
		// A token bucket of the real time would fill up meanwhile; none here has it.
		if n := b.atOnce(t, "a", 200); n != 100 {
			t.Errorf("%d passed, want 100", n)
		}
		if n := b.atOnce(t, "b", 200); n != 100 {
			t.Errorf("%d of another key passed, want 100", n)
		}
	})
	t.Run("the numbers tell the truth", func(t *testing.T) {
		b := open(t, 3, time.Minute)
		for left := 2; left >= 0; left-- {
			d := b.allow(t, "a")
			if !d.Allowed || d.Limit != 3 || d.Remaining != left || d.Reset <= 0 || d.Reset > time.Minute || d.RetryAfter != 0 {
				t.Errorf("decision %+v, want %d remaining", d, left)
			}
		}
		d := b.allow(t, "a")
		if d.Allowed || d.Remaining != 0 || d.RetryAfter <= 0 || d.RetryAfter > d.Reset || d.Reset > time.Minute {
			t.Errorf("decision %+v, want a refusal", d)
		}
	})
	t.Run("a refused request does not count", func(t *testing.T) {
		b := open(t, 3, window)
		for range 3 {
			b.allow(t, "a")
		}
		refused := b.allow(t, "a")
		for range 20 {
			refused = b.allow(t, "a")
		}
		if refused.Allowed {
			t.Fatal("too many were allowed")
		}
		b.advance(refused.RetryAfter)
		if d := b.allow(t, "a"); !d.Allowed {
			t.Errorf("refused after Retry-After: %+v", d)
		}
	})
	t.Run("the whole limit is there after Reset", func(t *testing.T) {
		b := open(t, 3, window)
		var last ratelimit.Decision
		for range 4 {
			last = b.allow(t, "a")
		}
		b.advance(last.Reset)
		if n := b.atOnce(t, "a", 3); n != 3 {
			t.Errorf("%d passed, want 3", n)
		}
	})
	if !exact {
		return
	}
	t.Run("nothing passes before Retry-After", func(t *testing.T) {
		b := open(t, 3, window)
		for range 3 {
			b.allow(t, "a")
			b.advance(time.Millisecond)
		}
		d := b.allow(t, "a")
		b.advance(d.RetryAfter - time.Microsecond)
		if early := b.allow(t, "a"); early.Allowed || early.RetryAfter > time.Microsecond {
			t.Errorf("a microsecond too early: %+v after %+v", early, d)
		}
		b.advance(time.Microsecond)
		if n := b.atOnce(t, "a", 20); n != 1 {
			t.Errorf("%d passed, want 1", n)
		}
	})
	t.Run("a pause gives no more than the limit", func(t *testing.T) {
		b := open(t, 100, window)
		b.allow(t, "a")
		b.advance(100 * window)
		if n := b.atOnce(t, "a", 200); n != 100 {
			t.Errorf("%d passed, want 100", n)
		}
	})
}

func (b bench) allow(t testing.TB, key string) ratelimit.Decision {
	t.Helper()
	d, err := b.Allow(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// atOnce sends n requests at the same time and gives how many were allowed.
func (b bench) atOnce(t testing.TB, key string, n int) int64 {
	t.Helper()
	var allowed atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for range n {
		all.Go(func() {
			<-start
			d, err := b.Allow(context.Background(), key)
			if err != nil {
				t.Error(err)
			}
			if d.Allowed {
				allowed.Add(1)
			}
		})
	}
	close(start)
	all.Wait()
	return allowed.Load()
}

// clock is a time that a test sets.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time { return time.Unix(0, c.now.Load()) }

func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func newBucket(t testing.TB, opt ratelimit.TokenBucketOptions) (bench, *clock) {
	t.Helper()
	c := &clock{}
	c.now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	opt.Now = c.Now
	b, err := ratelimit.NewTokenBucket(opt)
	if err != nil {
		t.Fatal(err)
	}
	return bench{b, c.advance}, c
}

func TestTokenBucketConforms(t *testing.T) {
	conformance(t, true, time.Minute, func(t *testing.T, limit int, window time.Duration) bench {
		b, _ := newBucket(t, ratelimit.TokenBucketOptions{Burst: limit, Rate: float64(limit) / window.Seconds()})
		return b
	})
}

func TestTokenBucketHasAHundredAndTenASecond(t *testing.T) {
	b, _ := newBucket(t, ratelimit.TokenBucketOptions{})
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{{0, 100}, {0, 0}, {time.Second, 10}, {100 * time.Millisecond, 1}, {99 * time.Millisecond, 0}, {time.Millisecond, 1}, {time.Hour, 100}} {
		b.advance(step.after)
		if n := b.atOnce(t, "a", 200); n != step.want {
			t.Errorf("after %v %d passed, want %d", step.after, n, step.want)
		}
	}
}

func TestAFloodOfKeysResetsNobodysBucket(t *testing.T) {
	b, _ := newBucket(t, ratelimit.TokenBucketOptions{Burst: 2, Rate: 0.1, Keys: 100})
	for range 2 {
		b.allow(t, "mine")
	}
	passed := 0
	for i := range 100_000 {
		if b.allow(t, fmt.Sprint("flood ", i)).Allowed {
			passed++
		}
	}
	if b.allow(t, "mine").Allowed {
		t.Error("a flood of keys reset a bucket")
	}
	// What has no bucket of its own is limited all the same, 2 for each of 1024 shared ones, and not refused altogether.
	if passed < 99+1024 || passed > 99+2*1024 {
		t.Errorf("%d of the flood passed", passed)
	}
	b.advance(20 * time.Second) // all are full
	for i := range 99 {
		if d := b.allow(t, fmt.Sprint("later ", i)); !d.Allowed || d.Remaining != 1 {
			t.Errorf("a later key has no bucket of its own: %+v", d)
		}
	}
}

func TestMemoryOfBucketsIsBounded(t *testing.T) {
	b, c := newBucket(t, ratelimit.TokenBucketOptions{Keys: 50})
	bucket, _ := b.Limiter.(*ratelimit.TokenBucket)
	for i := range 1000 {
		b.allow(t, fmt.Sprint(i))
		c.advance(time.Second) // a bucket is forgotten after ten
		if n := bucket.Keys(); n > 11 {
			t.Fatalf("%d buckets are kept, want no more than are not full", n)
		}
	}
}

func TestBadBucketsAreRefused(t *testing.T) {
	for _, opt := range []ratelimit.TokenBucketOptions{{Burst: -1}, {Rate: -1}, {Keys: -1}} {
		if _, err := ratelimit.NewTokenBucket(opt); err == nil {
			t.Errorf("took %+v", opt)
		}
	}
}

func BenchmarkTokenBucket(b *testing.B) {
	bucket, err := ratelimit.NewTokenBucket(ratelimit.TokenBucketOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = bucket.Allow(context.Background(), "a")
		}
	})
}
