package httpclient

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// ErrBulkheadFull says that as many calls as allowed are under way to the callee already; this one was not sent.
var ErrBulkheadFull = errors.New("bulkhead full")

// withBulkhead lets o.Concurrency calls through at once. A call keeps its place until its body is closed or its context is
// done, so that a callee which stalls in the middle of an answer is bounded as well.
func withBulkhead(o Options, m *metrics, next tripper) tripper {
	places := bulkhead.New[any](uint(o.Concurrency))
	inUse := m.inUse.WithLabelValues(o.Name)
	m.places.WithLabelValues(o.Name).Set(float64(o.Concurrency))
	return func(r *http.Request) (*http.Response, error) {
		ctx := r.Context()
		if err := places.AcquirePermitWithMaxWait(ctx, o.MaxWait); err != nil {
			if !errors.Is(err, bulkhead.ErrFull) {
				return refuse(r, err)
			}
			trace.SpanFromContext(ctx).AddEvent("bulkhead full", trace.WithAttributes(attribute.String("callee", o.Name)))
			return refuse(r, ErrBulkheadFull)
		}
		inUse.Inc()
		leave := sync.OnceFunc(func() {
			inUse.Dec()
			places.ReleasePermit()
		})
		answered := false
		defer func() {
			if !answered {
				leave()
			}
		}()
		resp, err := next(r)
		if err != nil {
			return nil, err
		}
		answered = true
		stop := context.AfterFunc(ctx, leave)
		resp.Body = &body{ReadCloser: resp.Body, left: unlimited, done: func() { stop(); leave() }}
		return resp, nil
	}
}
