package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/config"
	"github.com/trellis-mesh/trellis/chassis/ratelimit"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
	"github.com/trellis-mesh/trellis/services/gateway/internal/strangler"
	"github.com/trellis-mesh/trellis/services/gateway/internal/version"
)

// settings are the keys of this service alone.
type settings struct {
	RateLimit struct {
		Limit      int           `config:"limit" default:"100" doc:"requests of one client in any window, over all replicas"`
		Window     time.Duration `config:"window" default:"1m" doc:"the window"`
		Burst      int           `config:"burst" default:"100" doc:"requests of one client at once, at one replica"`
		Rate       float64       `config:"rate" default:"10" doc:"requests of one client a second after its burst, at one replica"`
		Timeout    time.Duration `config:"timeout" default:"100ms" doc:"how long Redis may take to count a request"`
		FailClosed bool          `config:"failClosed" doc:"refuse requests while Redis is away, rather than let them through"`
	} `config:"rateLimit"`
	Shadow struct {
		Concurrency int           `config:"concurrency" default:"4" doc:"comparisons with the monolith under way at once; more are dropped"`
		Timeout     time.Duration `config:"timeout" default:"3s" doc:"how long a comparison may take"`
	} `config:"shadow"`
}

// Validate checks what the types cannot.
func (s *settings) Validate(c *config.Check) {
	c.Must("rateLimit.limit", s.RateLimit.Limit > 0, "lets nobody in", "give 1 or more")
	c.Must("rateLimit.window", s.RateLimit.Window >= time.Second, "is too short to tell when to come again", "give 1s or more")
	c.Must("rateLimit.burst", s.RateLimit.Burst > 0, "lets nobody in", "give 1 or more")
	c.Must("rateLimit.rate", s.RateLimit.Rate > 0, "lets nobody in again", "give more than 0")
	c.Must("rateLimit.timeout", s.RateLimit.Timeout > 0, "leaves Redis no time", "give more than 0")
	c.Must("shadow.concurrency", s.Shadow.Concurrency > 0, "compares nothing", "give 1 or more, and turn shadowing off by its flag")
	c.Must("shadow.timeout", s.Shadow.Timeout > 0 && s.Shadow.Timeout <= 10*time.Second, "would hold up the stop", "give up to 10s")
}

// guard puts before all operations what holds for each of them: a limit in this replica's memory, which protects it even while Redis
// is away, the limit for all replicas, and the version that the client was written for. Probes and metrics are not behind it.
func guard(s *chassis.Service, cache redis.UniversalClient, set *settings) error {
	limit := &set.RateLimit
	bucket, err := ratelimit.NewTokenBucket(ratelimit.TokenBucketOptions{Burst: limit.Burst, Rate: limit.Rate})
	if err != nil {
		return err
	}
	window, err := ratelimit.NewSlidingWindow(cache, ratelimit.SlidingWindowOptions{
		Limit: limit.Limit, Window: limit.Window, Prefix: "gateway:ratelimit:",
	})
	if err != nil {
		return err
	}
	replica, err := ratelimit.New(bucket, ratelimit.Options{Name: "replica", Log: s.Log(), Registry: s.Registry()})
	if err != nil {
		return err
	}
	all, err := ratelimit.New(window, ratelimit.Options{
		Name: "client", FailClosed: limit.FailClosed, Timeout: limit.Timeout, Log: s.Log(), Registry: s.Registry(),
	})
	if err != nil {
		return err
	}
	s.Router().Use(replica.Middleware, all.Middleware, version.Middleware(proxy.Enveloped))
	return nil
}

// strangle makes what answers for the resources of the monolith, as the flags say.
func strangle(ctx context.Context, s *chassis.Service, passing *proxy.Proxy, monolith strangler.Monolith, set *settings) (*strangler.Strangler, error) {
	flags, err := s.Flags(ctx)
	if err != nil {
		return nil, err
	}
	shadow, err := strangler.NewShadow(strangler.ShadowOptions{
		Concurrency: set.Shadow.Concurrency, Timeout: set.Shadow.Timeout, Log: s.Log(), Registry: s.Registry(),
	})
	if err != nil {
		return nil, err
	}
	s.OnStop("comparisons with the monolith", shadow.Close)
	return strangler.New(strangler.Deps{Proxy: passing, Monolith: monolith, Flags: flags, Shadow: shadow}), nil
}
