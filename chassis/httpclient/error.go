package httpclient

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// Error is a call that brought no answer. It unwraps to [ErrBulkheadFull], [ErrOpen], [ErrTooLarge],
// context.DeadlineExceeded or the connection's error. A call that its own caller cancelled gives context.Canceled instead.
type Error struct {
	// Callee is the service that was called.
	Callee string
	// Err is why there is no answer.
	Err error
}

// Error names the callee and the cause.
func (e *Error) Error() string { return "call " + e.Callee + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the time was up, as net.Error has it.
func (e *Error) Timeout() bool { return errors.Is(e.Err, context.DeadlineExceeded) }

// soon is when a call that was not sent may well be. A breaker's rest is mostly longer, but only its probes tell whether it is over.
const soon = time.Second

// Problem is what to tell the caller's own client: 503 when the call was not sent, 504 when the time was up, else 502.
func (e *Error) Problem() *problem.Problem {
	switch {
	case errors.Is(e.Err, ErrBulkheadFull):
		return problem.Unavailable("dependency_busy", "Too many calls to "+e.Callee+" are under way. Try again later.").WithRetryAfter(soon)
	case errors.Is(e.Err, ErrOpen):
		return problem.Unavailable("dependency_unavailable", "The service "+e.Callee+" is failing and is given a rest. Try again later.").WithRetryAfter(soon)
	case e.Timeout():
		return problem.Timeout("dependency_timeout", "The service "+e.Callee+" did not answer in time.")
	}
	return problem.BadGateway("dependency_failed", "The service "+e.Callee+" gave no usable answer.")
}

// wrap makes err an *Error of this callee, unless the caller itself went away.
func (o Options) wrap(r *http.Request, err error) error {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return r.Context().Err()
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() && !errors.Is(err, context.DeadlineExceeded) {
		err = timeout{err} // a dial that timed out is a timeout too, whatever the network calls it
	}
	return &Error{Callee: o.Name, Err: err}
}

// timeout is a network's own kind of timeout that answers to context.DeadlineExceeded as well.
type timeout struct{ error }

func (t timeout) Unwrap() []error { return []error{t.error, context.DeadlineExceeded} }

// status is the word for a result in metrics and traces: the HTTP status, or why there is none.
func status(resp *http.Response, err error) string {
	switch {
	case err == nil:
		return strconv.Itoa(resp.StatusCode)
	case errors.Is(err, ErrBulkheadFull):
		return "bulkhead_full"
	case errors.Is(err, ErrOpen):
		return "breaker_open"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "error"
}
