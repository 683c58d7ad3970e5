// Package ratelimit bounds how many requests a client may make, and tells it how many are left.
//
//	limiter, err := ratelimit.NewTokenBucket(ratelimit.TokenBucketOptions{})     // for each process, in its memory
//	limiter, err := ratelimit.NewSlidingWindow(client, ratelimit.SlidingWindowOptions{}) // for all processes together, in Redis
//	limit, err := ratelimit.New(limiter, ratelimit.Options{Name: "api"})
//	server.Router().Use(limit.Middleware)
//
// A client is the access token's subject. Without a token it is the address that httpserver.ClientAddr gives, so that nobody
// can choose another one; of version 6 its /64, as whoever has one has all of it.
//
// Every answer has X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset: the seconds until the whole limit is there again, if
// nothing is asked meanwhile. Beyond the limit the answer is 429 rate_limited with Retry-After, never less than a second, after
// which one request passes. A refused request does not count.
//
// While Redis does not answer, requests are let through, or are refused with 503 when Options.FailClosed says so. It is given
// Options.Timeout to answer, and after it has not, one request a second finds out whether it is back; the others do not wait.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

// Limiter counts requests by key. It is safe for use by several goroutines.
type Limiter interface {
	// Allow counts a request of the key if it is within the limit. An error means that nobody knows.
	Allow(ctx context.Context, key string) (Decision, error)
}

// Decision is what becomes of a request.
type Decision struct {
	Allowed    bool
	Limit      int           // how many may be made at once
	Remaining  int           // how many of them are left now
	Reset      time.Duration // until all of them are there again
	RetryAfter time.Duration // until a refused request would be allowed; positive then, and 0 otherwise
}

// Options tune a Limit. Every zero value but that of Name is right for a service.
type Options struct {
	Name       string                    // label "limit" of the metrics
	Key        func(*gin.Context) string // whom a request counts for; default: the token's subject, else the address
	FailClosed bool                      // refuse with 503, rather than let through, while the limiter does not answer
	Timeout    time.Duration             // how long the limiter may take; default 100ms
	Log        *slog.Logger              // default: slog.Default
	Registry   prometheus.Registerer     // nil: no metrics
}

// retryInterval is how long a limiter that has failed is left alone.
const retryInterval = time.Second

// Limit applies a limiter to requests.
type Limit struct {
	limiter Limiter
	opt     Options
	metrics *metrics
	// askAgain is when a limiter that has failed is asked again, in Unix nanoseconds; 0 while it answers.
	askAgain atomic.Int64
}

// New makes a limit.
func New(limiter Limiter, opt Options) (*Limit, error) {
	if limiter == nil || opt.Name == "" {
		return nil, errors.New("ratelimit: a limit needs a limiter and a name")
	}
	if opt.Key == nil {
		opt.Key = Client
	}
	if opt.Timeout == 0 {
		opt.Timeout = 100 * time.Millisecond
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	m, err := newMetrics(opt.Registry, opt.Name)
	if err != nil {
		return nil, fmt.Errorf("ratelimit: metrics: %w", err)
	}
	return &Limit{limiter: limiter, opt: opt, metrics: m}, nil
}

// Client is whom a request counts for unless Options.Key says otherwise.
func Client(c *gin.Context) string {
	ctx := c.Request.Context()
	if who, ok := auth.From(ctx); ok {
		return "principal " + who.Subject
	}
	addr := httpserver.ClientAddr(ctx)
	if addr.Is6() {
		network, _ := addr.Prefix(64) // a version 6 address has one
		return "network " + network.String()
	}
	return "address " + addr.String()
}

// Middleware is for the router of package httpserver, before the handlers that it protects are registered.
func (l *Limit) Middleware(c *gin.Context) {
	decision, err := l.ask(c.Request.Context(), l.opt.Key(c))
	switch {
	case err != nil && c.Request.Context().Err() != nil:
		problem.Abort(c, err) // the request itself is over
	case err != nil && l.opt.FailClosed:
		l.metrics.unavailable.Inc()
		problem.Abort(c, problem.Unavailable("rate_limit_unavailable", "Requests cannot be counted at the moment.").
			WithRetryAfter(retryInterval).WithCause(err))
	case err != nil:
		l.metrics.unlimited.Inc()
	default:
		describe(c.Writer.Header(), decision)
		if decision.Allowed {
			l.metrics.allowed.Inc()
			return
		}
		l.metrics.refused.Inc()
		problem.Abort(c, problem.TooManyRequests("rate_limited", "You have made too many requests. Wait before the next one.",
			max(decision.RetryAfter, time.Nanosecond))) // a second at least, as it is rounded up
	}
}

var errAway = errors.New("the limiter did not answer a moment ago")

// ask asks the limiter, unless it has just failed.
func (l *Limit) ask(ctx context.Context, key string) (Decision, error) {
	if at := l.askAgain.Load(); at != 0 {
		now := time.Now().UnixNano()
		if now < at || !l.askAgain.CompareAndSwap(at, now+int64(retryInterval)) { // one asks, the others do not wait
			return Decision{}, errAway
		}
	}
	asking, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	decision, err := l.limiter.Allow(asking, key)
	switch {
	case err == nil:
		if l.askAgain.Load() != 0 && l.askAgain.Swap(0) != 0 {
			l.opt.Log.InfoContext(ctx, "the rate limiter answers again", "limit", l.opt.Name)
		}
	case ctx.Err() != nil:
		return Decision{}, fmt.Errorf("count the request: %w", ctx.Err()) // says nothing of the limiter
	default:
		if l.askAgain.Swap(time.Now().Add(retryInterval).UnixNano()) == 0 {
			l.opt.Log.ErrorContext(ctx, "the rate limiter does not answer", "limit", l.opt.Name, "fails", failing(l.opt.FailClosed),
				"error", telemetry.Redact(err.Error()))
		}
	}
	return decision, err
}

func failing(closed bool) string {
	if closed {
		return "closed"
	}
	return "open"
}

func describe(h http.Header, d Decision) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(d.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(d.Remaining, 0)))
	h.Set("X-RateLimit-Reset", strconv.Itoa(max(int(math.Ceil(d.Reset.Seconds())), 0)))
}

type metrics struct{ allowed, refused, unlimited, unavailable prometheus.Counter }

func newMetrics(r prometheus.Registerer, name string) (*metrics, error) {
	requests, err := metric.Register(r, metric.RateLimitRequests.CounterVec())
	if err != nil {
		return nil, err
	}
	of := func(outcome string) prometheus.Counter { return requests.WithLabelValues(name, outcome) }
	return &metrics{of("allowed"), of("refused"), of("unlimited"), of("unavailable")}, nil
}
