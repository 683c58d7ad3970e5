package httpserver

import (
	"context"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// request is the context of one request: its ids, its operation and its deadline in one allocation. The deadline's
// timer is made when somebody first asks for Done, since most handlers that only compute never do.
type request struct {
	context.Context            //nolint:containedctx // it is a context; the parent is the connection's, with the span
	span            trace.Span // nil when the request is not recorded
	ids             telemetry.IDs
	op              *operation
	header          http.Header
	remote          string
	start           time.Time
	idHeader        [1]string // backs the X-Request-Id header of the answer

	mu     sync.Mutex
	timed  context.Context //nolint:containedctx // the parent with a timer; nil until it is asked for
	cancel context.CancelFunc
	ended  bool
}

type requestKey struct{}

// Operation gives the operationId of the request that ctx belongs to, its route when it is not in the contract, and ""
// outside a request.
func Operation(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.op.id
	}
	return ""
}

// Deadline is the operation's, or the parent's when that is sooner.
func (r *request) Deadline() (time.Time, bool) {
	ends := r.ends()
	if parent, ok := r.Context.Deadline(); ok && parent.Before(ends) {
		return parent, true
	}
	return ends, true
}

// ends is the operation's own deadline.
func (r *request) ends() time.Time { return r.start.Add(r.op.timeout) }

// Done is closed when the deadline passes, the client goes away, or the request has been answered.
func (r *request) Done() <-chan struct{} { return r.timer().Done() }

// Err says why Done is closed.
func (r *request) Err() error {
	r.mu.Lock()
	timed := r.timed
	r.mu.Unlock()
	if timed != nil {
		return timed.Err()
	}
	if err := r.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(r.ends()) {
		return r.timer().Err()
	}
	return nil
}

func (r *request) timer() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timed == nil {
		r.timed, r.cancel = context.WithDeadline(r.Context, r.ends())
		if r.ended {
			r.cancel()
		}
	}
	return r.timed
}

// end releases the timer. As net/http does with a request's context, whoever still waits for Done is let go.
func (r *request) end() {
	r.mu.Lock()
	r.ended = true
	cancel := r.cancel
	r.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Value answers for the ids, the Authorization header and the request itself. Once there is a timer it goes through that context, so that package
// context finds the cancellable parent and needs no goroutine for each child.
func (r *request) Value(key any) any {
	switch key.(type) {
	case telemetry.IDsKey:
		return &r.ids
	case requestKey:
		return r
	case auth.HeaderKey:
		return first(r.header["Authorization"])
	}
	r.mu.Lock()
	timed := r.timed
	r.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return r.Context.Value(key)
}

// Headers that carry the ids, in canonical form.
const (
	headerRequestID     = "X-Request-Id"
	headerCorrelationID = "X-Correlation-Id"
)

// takeIDs takes the ids that came with a request, if they are fit for logs and headers, or makes new ones. A request that
// begins a chain of events gives it its own id.
func takeIDs(h http.Header, newID func() string) telemetry.IDs {
	ids := telemetry.IDs{Request: first(h[headerRequestID]), Correlation: first(h[headerCorrelationID])}
	if !telemetry.ValidID(ids.Request) {
		ids.Request = newID()
	}
	if !telemetry.ValidID(ids.Correlation) {
		ids.Correlation = ids.Request
	}
	return ids
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// newID makes 128 random bits.
func newID() string {
	var raw [16]byte
	random(raw[:8])
	random(raw[8:])
	return hex.EncodeToString(raw[:])
}
