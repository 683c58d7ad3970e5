package ratelimit

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// SlidingWindowOptions tune a SlidingWindow. The zero value is right for a service.
type SlidingWindowOptions struct {
	Limit  int           // how many requests may be made in any Window; default 100
	Window time.Duration // whole microseconds; default 1m
	Prefix string        // of the keys in Redis, which limits must not share by mistake; default "ratelimit:"
}

// SlidingWindow is a limiter in Redis 5 or later, or a cluster of it, which all processes share: in no span of time as long as
// the window are more requests allowed than the limit, whoever asks. The time is Redis' own.
//
// A key holds the times of the requests that were allowed in the last window, at most Limit, and is gone when the last of
// them is past. Its name is a hash of the client's.
type SlidingWindow struct {
	client redis.UniversalClient
	opt    SlidingWindowOptions
}

// NewSlidingWindow makes a limiter in Redis. It does not ask Redis anything yet.
func NewSlidingWindow(client redis.UniversalClient, opt SlidingWindowOptions) (*SlidingWindow, error) {
	if opt.Limit == 0 {
		opt.Limit = 100
	}
	if opt.Window == 0 {
		opt.Window = time.Minute
	}
	if opt.Prefix == "" {
		opt.Prefix = "ratelimit:"
	}
	if client == nil || opt.Limit < 0 || opt.Window < time.Microsecond {
		return nil, errors.New("ratelimit: a sliding window needs a Redis client, a positive limit and a window of a microsecond or more")
	}
	return &SlidingWindow{client: client, opt: opt}, nil
}

//go:embed window.lua
var windowLua string

// window is atomic: Redis runs one script at a time.
var window = redis.NewScript(windowLua)

// Allow implements Limiter. It returns when ctx ends, even if the client goes on waiting for Redis: by default it heeds its own
// timeouts only.
func (w *SlidingWindow) Allow(ctx context.Context, key string) (Decision, error) {
	type answer struct {
		decision Decision
		err      error
	}
	got := make(chan answer, 1)
	go func() {
		d, err := w.ask(ctx, key)
		got <- answer{d, err}
	}()
	select {
	case a := <-got:
		return a.decision, a.err
	case <-ctx.Done():
		return Decision{}, fmt.Errorf("ask Redis: %w", ctx.Err())
	}
}

func (w *SlidingWindow) ask(ctx context.Context, key string) (Decision, error) {
	micros, err := window.Run(ctx, w.client, []string{w.name(key)}, w.opt.Limit, w.opt.Window.Microseconds()).Int64Slice()
	if err != nil {
		return Decision{}, fmt.Errorf("ask Redis: %w", err)
	}
	if len(micros) != 4 {
		return Decision{}, fmt.Errorf("ask Redis: it gave %d numbers, not 4", len(micros))
	}
	return Decision{
		Allowed: micros[0] == 1, Limit: w.opt.Limit, Remaining: int(micros[1]),
		Reset: time.Duration(micros[2]) * time.Microsecond, RetryAfter: time.Duration(micros[3]) * time.Microsecond,
	}, nil
}

// name bounds the length of a key, and keeps Redis from knowing whose it is.
func (w *SlidingWindow) name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return w.opt.Prefix + base64.RawURLEncoding.EncodeToString(sum[:16])
}
