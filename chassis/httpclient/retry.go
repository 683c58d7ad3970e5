package httpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Backoff spaces attempts: before retry n (from 0) the client waits Initial × 2ⁿ, at most Max, times the jitter. A wait
// shrinks where the deadline would otherwise leave no room for the attempts still allowed: each keeps its
// Options.PerTry or, without one, all together keep half of the time that is left.
type Backoff struct {
	// Initial defaults to 1 s and Max to 30 s.
	Initial, Max time.Duration
	// Jitter gives the factor of one wait. Default: evenly spread over [0.5, 1).
	Jitter func() float64
}

func (b Backoff) withDefaults() Backoff {
	b.Initial = cmp.Or(b.Initial, time.Second)
	b.Max = cmp.Or(b.Max, 30*time.Second)
	if b.Jitter == nil {
		b.Jitter = jitter
	}
	return b
}

// wait is the time before retry n when `room` is left to spend on waiting.
func (b Backoff) wait(n int, room time.Duration) time.Duration {
	full := min(float64(b.Initial)*math.Exp2(float64(n)), float64(b.Max))
	return time.Duration(max(0, min(full, float64(room))) * b.Jitter())
}

// outcome is an attempt's result and the verdict on it.
type outcome struct {
	resp  *http.Response
	err   error
	again bool
	wait  time.Duration
}

// withRetry repeats idempotent requests after connection errors, timeouts, 429 and 502 to 504, within the deadline.
func withRetry(o Options, m *metrics, next tripper) tripper {
	if o.Mesh || o.Attempts == 1 {
		return next
	}
	policy := retrypolicy.NewBuilder[outcome]().
		WithMaxAttempts(o.Attempts).
		HandleIf(func(out outcome, _ error) bool { return out.again }).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[outcome]) time.Duration { return e.LastResult().wait }).
		ReturnLastFailure().
		Build()
	executor := failsafe.With[outcome](policy)

	return func(r *http.Request) (*http.Response, error) {
		if !repeatable(r) {
			return next(r)
		}
		out, err := executor.WithContext(r.Context()).GetWithExecution(
			func(e failsafe.Execution[outcome]) (outcome, error) {
				try, err := rewound(r, e.Retries())
				if err != nil {
					return outcome{}, err
				}
				resp, err := next(try)
				out := o.judge(r.Context(), e.Retries(), resp, err)
				if out.again {
					m.retries.WithLabelValues(o.Name, OperationFrom(r.Context())).Inc()
					trace.SpanFromContext(r.Context()).AddEvent("retry", trace.WithAttributes(
						attribute.String("callee", o.Name), attribute.String("after", status(resp, err)),
						attribute.Int("attempt", e.Attempts()+1), attribute.String("wait", out.wait.String())))
					discard(resp)
				}
				return out, nil
			})
		if err != nil {
			return nil, err
		}
		return out.resp, out.err
	}
}

// judge decides whether another attempt follows retry n, and how long to wait for it.
func (o Options) judge(ctx context.Context, n int, resp *http.Response, err error) outcome {
	out := outcome{resp: resp, err: err}
	left := o.Attempts - n - 1
	if left == 0 || ctx.Err() != nil || !transient(resp, err) {
		return out
	}
	deadline, _ := ctx.Deadline() // withDeadline has set one
	remaining := time.Until(deadline)
	reserved := cmp.Or(time.Duration(left)*o.PerTry, remaining/2)
	room := (remaining - reserved) / time.Duration(left)
	out.wait = max(o.Backoff.wait(n, room), retryAfter(resp))
	out.again = out.wait < remaining
	return out
}

// repeatable tells whether sending the request twice does what sending it once does (RFC 9110, 9.2.2), and can be done.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
	}
	return false
}

// rewound is the request for retry n: the first one sends the body as given, each later one a fresh copy.
func rewound(r *http.Request, n int) (*http.Request, error) {
	if n == 0 || r.GetBody == nil {
		return r, nil
	}
	b, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	again := r.WithContext(r.Context())
	again.Body = b
	return again, nil
}

// transient tells whether another attempt may well fare better.
func transient(resp *http.Response, err error) bool {
	if err != nil {
		var untrusted *tls.CertificateVerificationError
		return !errors.Is(err, ErrOpen) && !errors.As(err, &untrusted)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	return RetryAfter(resp.Header)
}

// RetryAfter reads Retry-After, given in seconds or as a date (RFC 9110, 10.2.3); 0 is for none, and for a date that is past.
func RetryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// discard ends an answer that nobody gets. It reads as much, and for as long, as a connection that can be used again is
// worth.
func discard(resp *http.Response) {
	if resp == nil {
		return
	}
	cutOff := time.AfterFunc(100*time.Millisecond, func() { _ = resp.Body.Close() })
	defer cutOff.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
