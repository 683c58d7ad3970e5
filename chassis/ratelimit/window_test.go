package ratelimit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/chassis/ratelimit"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newWindow is a sliding window on a Redis whose time stands still.
func newWindow(t testing.TB, opt ratelimit.SlidingWindowOptions) (bench, *miniredis.Miniredis) {
	t.Helper()
	server := miniredis.RunT(t)
	now := epoch
	server.SetTime(now)
	return bench{windowOn(t, "redis://"+server.Addr(), opt), func(d time.Duration) {
		now = now.Add(d)
		server.FastForward(d) // for what expires
		server.SetTime(now)
	}}, server
}

func windowOn(t testing.TB, url string, opt ratelimit.SlidingWindowOptions) *ratelimit.SlidingWindow {
	t.Helper()
	at, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(at)
	t.Cleanup(func() { _ = client.Close() })
	w, err := ratelimit.NewSlidingWindow(client, opt)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestSlidingWindowConforms(t *testing.T) {
	conformance(t, true, time.Minute, func(t *testing.T, limit int, window time.Duration) bench {
		b, _ := newWindow(t, ratelimit.SlidingWindowOptions{Limit: limit, Window: window})
		return b
	})
}

// The window has no edges: requests around a full minute count as any others do, and each leaves to the microsecond.
func TestSlidingWindowIsExactAtItsBoundary(t *testing.T) {
	b, _ := newWindow(t, ratelimit.SlidingWindowOptions{})
	for _, step := range []struct {
		after time.Duration
		asked int
		want  int64
	}{
		{59 * time.Second, 50, 50}, // in the 59th second
		{time.Second, 200, 50},
		{time.Second, 200, 0},
		{58*time.Second - time.Microsecond, 200, 0}, // 118.999999
		{time.Microsecond, 200, 50},
		{time.Second - time.Microsecond, 200, 0}, // 119.999999
		{time.Microsecond, 200, 50},
	} {
		b.advance(step.after)
		if n := b.atOnce(t, "a", step.asked); n != step.want {
			t.Errorf("after %v more %d passed, want %d", step.after, n, step.want)
		}
	}
}

func TestALoweredLimitHoldsAtOnce(t *testing.T) {
	b, server := newWindow(t, ratelimit.SlidingWindowOptions{Limit: 5})
	for range 5 {
		b.allow(t, "a")
		b.advance(time.Second)
	}
	lower := bench{windowOn(t, "redis://"+server.Addr(), ratelimit.SlidingWindowOptions{Limit: 2}), b.advance}
	d := lower.allow(t, "a")
	// The requests came at seconds 0 to 4; it is second 5, and of the last two the first leaves at 63.
	if d.Allowed || d.Remaining != 0 || d.RetryAfter != 58*time.Second || d.Reset != 59*time.Second {
		t.Errorf("decision %+v", d)
	}
}

func TestAClockThatIsSetBackLocksNobodyOut(t *testing.T) {
	b, _ := newWindow(t, ratelimit.SlidingWindowOptions{Limit: 2})
	for range 3 {
		b.allow(t, "a")
	}
	b.advance(-24 * time.Hour)
	if d := b.allow(t, "a"); !d.Allowed || d.Reset > time.Minute {
		t.Errorf("decision %+v", d)
	}
}

func TestRedisKeepsNothingForLonger(t *testing.T) {
	b, server := newWindow(t, ratelimit.SlidingWindowOptions{Limit: 2})
	for range 5 {
		b.allow(t, "principal ada@example.org")
		b.advance(time.Second)
	}
	keys := server.Keys()
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "ratelimit:") || strings.Contains(keys[0], "ada") {
		t.Fatalf("keys %q", keys)
	}
	if ttl := server.TTL(keys[0]); ttl != 56*time.Second { // refused requests do not prolong it
		t.Errorf("it expires in %v, want 56s", ttl)
	}
	if members, err := server.ZMembers(keys[0]); err != nil || len(members) != 2 {
		t.Errorf("members %q and %v, want 2", members, err)
	}
}

func TestBadWindowsAreRefused(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	for _, opt := range []ratelimit.SlidingWindowOptions{{Limit: -1}, {Window: -1}, {Window: time.Nanosecond}} {
		if _, err := ratelimit.NewSlidingWindow(client, opt); err == nil {
			t.Errorf("took %+v", opt)
		}
	}
	if _, err := ratelimit.NewSlidingWindow(nil, ratelimit.SlidingWindowOptions{}); err == nil {
		t.Error("took no client")
	}
}

func TestAnEndedContextIsAnError(t *testing.T) {
	b, _ := newWindow(t, ratelimit.SlidingWindowOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Allow(ctx, "a"); err == nil {
		t.Error("no error")
	}
}
