package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// ErrOpen says that the callee has failed too often lately, so that this call was not sent.
var ErrOpen = errors.New("circuit breaker open")

// Breaker says when calls stop being sent. A failure is an error, a timeout or a status of 500 and above; a call that its
// caller cancelled counts for nothing.
type Breaker struct {
	// Rate is the share of failures, above 0 and up to 1, that opens the breaker. Default 0.5.
	Rate float64
	// Volume is the least number of attempts in the window before Rate means anything. Default 20.
	Volume int
	// Window is how far back attempts count. Default 10 s.
	Window time.Duration
	// Delay is how long an open breaker refuses calls before it lets some through again. Default 30 s.
	Delay time.Duration
	// Probes is how many of these must succeed, without a failure between them, to close it. Default 3.
	Probes int
}

func (b Breaker) withDefaults() Breaker {
	return Breaker{
		Rate:   cmp.Or(b.Rate, 0.5),
		Volume: cmp.Or(b.Volume, 20),
		Window: cmp.Or(b.Window, 10*time.Second),
		Delay:  cmp.Or(b.Delay, 30*time.Second),
		Probes: cmp.Or(b.Probes, 3),
	}
}

func (b Breaker) validate() error {
	if b.Rate < 0 || b.Rate > 1 {
		return fmt.Errorf("a breaker rate of %v: it is a share between 0 and 1", b.Rate)
	}
	if b.Volume < 1 || b.Window < 0 || b.Delay < 0 || b.Probes < 1 {
		return fmt.Errorf("a breaker of volume %d, window %v, delay %v, probes %d: none may be negative",
			b.Volume, b.Window, b.Delay, b.Probes)
	}
	return nil
}

// breaker tells whoever watches about each change of a circuit breaker. Its lock makes a change belong to one call, whose
// trace then shows it.
type breaker struct {
	callee string
	state  prometheus.Gauge
	log    *slog.Logger

	mu      sync.Mutex
	circuit circuitbreaker.CircuitBreaker[any]
}

func withBreaker(o Options, m *metrics, next tripper) tripper {
	b := &breaker{
		callee: o.Name,
		state:  m.breaker.WithLabelValues(o.Name),
		log:    o.Log,
		circuit: circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(o.Breaker.Rate, uint(o.Breaker.Volume), o.Breaker.Window).
			WithDelay(o.Breaker.Delay).
			WithSuccessThreshold(uint(o.Breaker.Probes)).
			Build(),
	}
	b.state.Set(stateValue[circuitbreaker.ClosedState])
	return func(r *http.Request) (resp *http.Response, err error) {
		ctx := r.Context()
		if !b.admit(ctx) {
			trace.SpanFromContext(ctx).AddEvent("circuit breaker refused the call",
				trace.WithAttributes(attribute.String("callee", o.Name)))
			return refuse(r, ErrOpen)
		}
		defer func() { // a panic, which leaves neither answer nor error, is a failure too
			answered := resp != nil && resp.StatusCode < http.StatusInternalServerError
			cancelled := err != nil && errors.Is(ctx.Err(), context.Canceled)
			b.record(ctx, answered, cancelled)
		}()
		return next(r)
	}
}

func (b *breaker) admit(ctx context.Context) (ok bool) {
	b.change(ctx, func() { ok = b.circuit.TryAcquirePermit() })
	return ok
}

func (b *breaker) record(ctx context.Context, success, cancelled bool) {
	b.change(ctx, func() {
		switch {
		case success:
			b.circuit.RecordSuccess()
		case !cancelled, b.circuit.IsHalfOpen(): // a probe that nobody waited for must give its permit back
			b.circuit.RecordFailure()
		}
	})
}

// change runs a step of the circuit and announces the state it led to, if another.
func (b *breaker) change(ctx context.Context, step func()) {
	b.mu.Lock()
	from := b.circuit.State()
	step()
	to := b.circuit.State()
	b.state.Set(stateValue[to])
	b.mu.Unlock()
	if from == to {
		return
	}
	trace.SpanFromContext(ctx).AddEvent("circuit breaker "+to.String(), trace.WithAttributes(
		attribute.String("callee", b.callee), attribute.String("from", from.String()), attribute.String("to", to.String())))
	b.log.WarnContext(ctx, "circuit breaker "+to.String(), "callee", b.callee, "from", from.String())
}

// stateValue is what the gauge shows, the worse the higher.
var stateValue = map[circuitbreaker.State]float64{
	circuitbreaker.ClosedState:   0,
	circuitbreaker.HalfOpenState: 1,
	circuitbreaker.OpenState:     2,
}
