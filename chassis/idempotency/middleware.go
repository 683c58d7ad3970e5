package idempotency

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// Middleware is for the router of package httpserver, before any handler is registered; it leaves alone what takes no keys.
func (k *Keys) Middleware(c *gin.Context) {
	op := k.operations[httpserver.Operation(c.Request.Context())]
	if op == nil {
		return
	}
	key, err := keyOf(c.Request.Header)
	if err == nil && key == "" && op.required {
		err = errMissing
	}
	if err != nil {
		k.refuse(c, op, err)
		return
	}
	if key != "" {
		k.serve(c, op, key)
	}
}

func (k *Keys) serve(c *gin.Context, op *operation, key string) {
	ctx := c.Request.Context()
	request, err := fingerprint(c.Request, key, k.opt.BodyLimit)
	if err != nil {
		k.refuse(c, op, err)
		return
	}
	taken, kept, err := k.take(ctx, k.newRow(ctx, op, key, request))
	switch {
	case err != nil:
		k.refuse(c, op, unavailable(err))
	case taken != nil:
		k.observe(ctx, op, executed)
		k.execute(c, op, taken)
	default:
		k.observe(ctx, op, replayed)
		if err := replay(c, kept); err != nil {
			problem.Abort(c, problem.Internal(err))
		}
	}
}

// unavailable is what a client is told when the table cannot be asked: to carry the request out all the same could be the second time.
func unavailable(err error) error {
	if problem.From(err).Status != http.StatusInternalServerError {
		return err
	}
	return problem.Unavailable("idempotency_unavailable", "Idempotency keys cannot be looked up at the moment.").
		WithRetryAfter(settleTimeout).WithCause(err)
}

func (k *Keys) refuse(c *gin.Context, op *operation, err error) {
	outcome := refused
	switch {
	case errors.Is(err, errReused):
		outcome = mismatched
	case errors.Is(err, errInProgress):
		outcome = inProgress
	case problem.From(err).Status >= http.StatusInternalServerError:
		outcome = failed
	}
	k.observe(c.Request.Context(), op, outcome)
	problem.Abort(c, err)
}

func (k *Keys) observe(ctx context.Context, op *operation, outcome string) {
	k.metrics.count(op.id, outcome)
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("idempotency.outcome", outcome))
}

// execute carries the request out and sees to its key, whatever happens.
func (k *Keys) execute(c *gin.Context, op *operation, taken *claim) {
	ctx := c.Request.Context()
	c.Request = c.Request.WithContext(context.WithValue(ctx, claimKey{}, taken))
	answer := hold(c.Writer, k.opt.AnswerLimit)
	c.Writer = answer
	returned := false
	defer func() { // a panic goes on to the server's own recovery, which answers
		c.Writer = answer.ResponseWriter
		if !returned {
			k.settle(ctx, op, taken, &held{status: http.StatusInternalServerError})
		}
	}()
	c.Next()
	returned = true
	k.settle(ctx, op, taken, answer)
	if !answer.overflown {
		answer.send()
	}
}

// settle keeps the answer or gives up the key. It does so even when the client has gone: it will ask again.
func (k *Keys) settle(ctx context.Context, op *operation, taken *claim, answer *held) {
	if taken.completed.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	var err error
	switch {
	case !definitive(answer.status):
		err = taken.giveUp(ctx)
	case answer.overflown:
		err = taken.keep(ctx, 0, nil, nil)
	default:
		err = taken.keep(ctx, answer.status, answer.Header(), answer.body.Bytes())
	}
	if err != nil {
		k.metrics.count(op.id, failed)
		k.opt.Log.ErrorContext(ctx, "the answer to a request with an idempotency key was not kept: a repetition will be carried out anew",
			"operation", op.id, "status", answer.status, "error", telemetry.Redact(err.Error()))
	}
	if answer.status < http.StatusMultipleChoices {
		op.warn.Do(func() {
			k.opt.Log.WarnContext(ctx, "the operation answers without idempotency.Complete: a crash may let a repetition have its effect again",
				"operation", op.id)
		})
	}
}

// definitive tells whether an answer speaks of the request, not of the moment or the credentials.
func definitive(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		problem.StatusClientClosed:
		return false
	}
	return status < http.StatusInternalServerError
}
