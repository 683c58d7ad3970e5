//go:build real

package ratelimit_test

import (
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/chassis/ratelimit"
	"github.com/trellis-mesh/trellis/test/real"
)

func TestSlidingWindowConformsOnRedis(t *testing.T) {
	conformance(t, false, time.Second, func(t *testing.T, limit int, window time.Duration) bench {
		w := windowOn(t, real.Redis(t), ratelimit.SlidingWindowOptions{Limit: limit, Window: window})
		return bench{w, func(d time.Duration) { <-time.After(d) }} // Redis' time cannot be set
	})
}

// One client asks as fast as it can. Redis has allowed each request between its beginning and its end as seen here, so from the
// beginning of one to the end of the one that is a limit later at least the window has gone by.
func TestNoSpanOfTimeHasMoreThanTheLimitOnRedis(t *testing.T) {
	const limit, window = 20, 100 * time.Millisecond
	b := bench{Limiter: windowOn(t, real.Redis(t), ratelimit.SlidingWindowOptions{Limit: limit, Window: window})}
	var begun, ended []time.Time
	refused := 0
	for len(begun) < 10*limit {
		begin := time.Now()
		if !b.allow(t, "a").Allowed {
			refused++
			continue
		}
		begun, ended = append(begun, begin), append(ended, time.Now())
	}
	for i := limit; i < len(begun); i++ {
		if span := ended[i].Sub(begun[i-limit]); span < window {
			t.Errorf("requests %d to %d were allowed within %v", i-limit, i, span)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	t.Logf("%d allowed in %v, %d refused", len(begun), ended[len(ended)-1].Sub(begun[0]).Round(time.Millisecond), refused)
}
