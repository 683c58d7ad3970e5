// Package compose makes one answer of parts that come from several services.
//
// All gets the parts at the same time. A part whose service fails, is late or refuses more load is left out and named, so that
// a client can say what is missing; the rest comes as fast as it would have without it. What the client itself has done wrong, or
// may not see, is told to it.
//
//	missing, err := compose.All(ctx,
//		compose.Part{Name: "user", Get: func(ctx context.Context) (err error) {
//			user, err = users.Get(ctx, id)
//			return err
//		}},
//		compose.Part{Name: "payments", Get: …},
//	)
//
// How many calls are under way at once is not decided here: each callee has its bulkhead, in package httpclient, which all requests share.
// For steps that depend on each other, nest: a part may itself compose.
package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// Part is a piece of an answer that is had by itself.
type Part struct {
	// Name is what the answer calls the part when it is missing.
	Name string
	// Limit bounds the part with all its calls. Zero leaves the bounds to the calls.
	Limit time.Duration
	// Required is for a part without which there is nothing to show: when it cannot be had, nor can the whole.
	Required bool
	// Get gets the part and keeps it where nobody looks before All has returned. It must heed its context: All waits for it.
	Get func(ctx context.Context) error
}

// All gets the parts, all at the same time, and gives the names of those that are missing, in the order of the parts.
//
// An error ends the whole, and the parts still under way are cancelled: that of a required part; a problem of 400 to 499, by which
// a callee says that the request cannot be answered, such as 403 and 404, but not 408, 425 and 429, which speak of the moment; and 503
// when every part is missing. When the request's own time is over, its context's error is given.
func All(ctx context.Context, parts ...Part) ([]string, error) {
	g := &group{errs: make([]error, len(parts))}
	shared, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, part := range parts {
		g.running.Go(func() { g.get(shared, cancel, i, part) })
	}
	g.running.Wait()
	if g.panicked != nil {
		panic(g.panicked)
	}
	if g.fatal != nil {
		return nil, g.fatal
	}
	var missing []string
	for i, part := range parts {
		if g.errs[i] != nil {
			missing = append(missing, part.Name)
		}
	}
	switch {
	case len(missing) == 0:
		return nil, nil
	case ctx.Err() != nil: // nobody waits for what is there
		return nil, ctx.Err()
	case len(missing) == len(parts):
		return nil, problem.Unavailable("parts_unavailable", "Nothing of the answer can be had at the moment. Try again later.").
			WithCause(errors.Join(g.errs...)).WithRetryAfter(latest(g.errs))
	}
	return missing, nil
}

// latest is when, by the word of all who gave one, every part may be had.
func latest(errs []error) (after time.Duration) {
	for _, err := range errs {
		after = max(after, problem.From(err).RetryAfter)
	}
	return after
}

// group is what the parts of one answer share.
type group struct {
	running sync.WaitGroup
	errs    []error // by part

	mu       sync.Mutex
	fatal    error // the first
	panicked any   // likewise
}

// get gets the i-th part, and ends the others when there is no answer without it.
func (g *group) get(ctx context.Context, end context.CancelFunc, i int, part Part) {
	defer func() {
		if p := recover(); p != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.panicked == nil { // the stack that matters is this one, not the one it is told on
				g.panicked = fmt.Sprintf("part %s: %v\n%s", part.Name, p, debug.Stack())
			}
			end()
		}
	}()
	limited, cancel := ctx, context.CancelFunc(func() {})
	if part.Limit > 0 {
		limited, cancel = context.WithTimeout(ctx, part.Limit)
	}
	defer cancel()
	err := part.Get(limited)
	if err == nil {
		return
	}
	err = fmt.Errorf("get the part %s: %w", part.Name, err)
	g.errs[i] = err
	if part.Required || refusal(err) {
		g.end(ctx, end, err)
		return
	}
	trace.SpanFromContext(ctx).AddEvent("part left out", trace.WithAttributes(
		attribute.String("part", part.Name), attribute.String("cause", telemetry.Redact(err.Error()))))
}

// end ends the whole with err, unless that has been done: what fails afterwards, fails because of it.
func (g *group) end(ctx context.Context, end context.CancelFunc, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fatal == nil && ctx.Err() == nil {
		g.fatal = err
		end()
	}
}

// refusal reports whether a callee has said that the request cannot be answered, however often it is made.
func refusal(err error) bool {
	p := problem.From(err)
	switch p.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, problem.StatusClientClosed:
		return false
	}
	return p.Status < http.StatusInternalServerError
}

// Refused is the error of a callee's answer that is not the one that was asked for. 401, 403 and 404 are passed on as the callee says
// them, since they are about the request that the client made; anything else is the callee's failure, a 502.
func Refused(callee string, status int, body []byte) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		var said struct{ Code, Detail string }
		_ = json.Unmarshal(body, &said) // a proxy's answer has neither
		return problem.New(status, said.Code, said.Detail)
	}
	return problem.BadGateway("dependency_failed", "The service "+callee+" gave no usable answer.").WithCause(fmt.Errorf("%s answered %d", callee, status))
}

// Failed is the error of a call that brought no answer, or one that cannot be read. Where it does not say itself what to tell a client,
// as that of package httpclient does, it is the callee's failure, a 502.
func Failed(callee string, err error) error {
	if problem.From(err).Status != http.StatusInternalServerError {
		return err
	}
	return problem.BadGateway("dependency_failed", "The service "+callee+" gave no usable answer.").WithCause(fmt.Errorf("%s: %w", callee, err))
}
