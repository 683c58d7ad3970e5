package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Problem is an error with all that a client is told about it, in the members of RFC 9457, section 3.1, and four
// extension members: code, requestId, traceId and errors. A Problem is a value to return, not to change: writing one
// fills in the ids on a copy, so that a package may keep its problems in variables.
type Problem struct {
	// Type is a URI that identifies the kind of problem; about:blank means that Status says all there is to say.
	Type string `json:"type"`
	// Title is a short summary of the kind; the status's own text when empty.
	Title string `json:"title"`
	// Status is the HTTP status, 400 to 599.
	Status int `json:"status"`
	// Detail explains this occurrence to the client. It never names anything inside the service.
	Detail string `json:"detail,omitempty"`
	// Instance is the path of the request.
	Instance string `json:"instance,omitempty"`
	// Code is stable: clients decide on it, so it changes only with the contract.
	Code string `json:"code"`
	// RequestID and TraceID are what a user quotes and a developer searches for.
	RequestID string `json:"requestId,omitempty"`
	TraceID   string `json:"traceId,omitempty"`
	// Errors lists what is wrong with each field of a request.
	Errors []FieldError `json:"errors,omitempty"`

	// RetryAfter is sent as the Retry-After header, rounded up to seconds; none when 0.
	RetryAfter time.Duration `json:"-"`
	// Cause is logged and never sent.
	Cause error `json:"-"`
}

// FieldError is one field's fault.
type FieldError struct {
	// In is where the field is: body, path, query, header or cookie.
	In string `json:"in"`
	// Name is the parameter's name; empty for a body.
	Name string `json:"name,omitempty"`
	// Pointer is the JSON Pointer (RFC 6901) into the body or the parameter's value.
	Pointer string `json:"pointer,omitempty"`
	// Detail says what is wrong, without the value.
	Detail string `json:"detail"`
}

// Reporter is implemented by errors of other packages that know which problem they are to a client.
type Reporter interface {
	error
	Problem() *Problem
}

// Error gives status, code, detail and cause, for logs.
func (p *Problem) Error() string {
	text := fmt.Sprintf("%d %s", p.Status, p.Code)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.Cause != nil {
		text += ": " + p.Cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// Is reports whether target is a Problem of the same status and code, so that errors.Is(err, problem.NotFound("x", ""))
// asks what a client would ask.
func (p *Problem) Is(target error) bool {
	var other *Problem
	if !errors.As(target, &other) {
		return false
	}
	return other.Status == p.Status && other.Code == p.Code
}

// WithCause is the problem with the error behind it, which is logged and never sent.
func (p *Problem) WithCause(err error) *Problem {
	with := *p
	with.Cause = err
	return &with
}

// WithErrors is the problem with the faults of fields.
func (p *Problem) WithErrors(fields ...FieldError) *Problem {
	with := *p
	with.Errors = append(append([]FieldError(nil), p.Errors...), fields...)
	return &with
}

// WithRetryAfter is the problem with the time after which the request may succeed.
func (p *Problem) WithRetryAfter(d time.Duration) *Problem {
	with := *p
	with.RetryAfter = d
	return &with
}

// New makes a problem of a status from 400 to 599; any other status becomes 500. An empty code becomes the status's
// text in snake case, as in not_found.
func New(status int, code, detail string) *Problem {
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	if code == "" {
		code = statusCode(status)
	}
	return &Problem{Type: "about:blank", Title: statusTitle(status), Status: status, Code: code, Detail: detail}
}

// BadRequest is a request that cannot be understood (400).
func BadRequest(code, detail string) *Problem { return New(http.StatusBadRequest, code, detail) }

// Unauthorized is a request without valid credentials (401).
func Unauthorized(code, detail string) *Problem { return New(http.StatusUnauthorized, code, detail) }

// Forbidden is a request that these credentials do not allow (403).
func Forbidden(code, detail string) *Problem { return New(http.StatusForbidden, code, detail) }

// NotFound is a resource that does not exist (404).
func NotFound(code, detail string) *Problem { return New(http.StatusNotFound, code, detail) }

// Conflict is a request that the resource's present state does not allow (409).
func Conflict(code, detail string) *Problem { return New(http.StatusConflict, code, detail) }

// TooLarge is a request body beyond the limit (413).
func TooLarge(code, detail string) *Problem {
	return New(http.StatusRequestEntityTooLarge, code, detail)
}

// Invalid is a well-formed request that breaks a rule (422); fields say where.
func Invalid(code, detail string, fields ...FieldError) *Problem {
	p := New(http.StatusUnprocessableEntity, code, detail)
	p.Errors = fields
	return p
}

// TooManyRequests is a request beyond the client's rate (429).
func TooManyRequests(code, detail string, retryAfter time.Duration) *Problem {
	p := New(http.StatusTooManyRequests, code, detail)
	p.RetryAfter = retryAfter
	return p
}

// Internal is a fault of the service (500). Its cause is logged; the client sees nothing of it.
func Internal(cause error) *Problem {
	return New(http.StatusInternalServerError, "internal_error", "").WithCause(cause)
}

// NotImplemented is an operation that does not exist yet (501).
func NotImplemented(code, detail string) *Problem {
	return New(http.StatusNotImplemented, code, detail)
}

// BadGateway is a dependency that answered wrongly (502).
func BadGateway(code, detail string) *Problem { return New(http.StatusBadGateway, code, detail) }

// Unavailable is a dependency or the service itself being away for a while (503).
func Unavailable(code, detail string) *Problem {
	return New(http.StatusServiceUnavailable, code, detail)
}

// Timeout is a deadline that passed before there was an answer (504).
func Timeout(code, detail string) *Problem { return New(http.StatusGatewayTimeout, code, detail) }

// internalDetail is the detail of every 500, whoever made it.
const internalDetail = "The service failed. Quote the request id when you report this."

// StatusClientClosed is the status recorded for a request whose client went away before the answer. No client sees it.
const StatusClientClosed = 499

// From gives the problem that an error is to a client: the first *Problem or Reporter in its chain; 413 for a body
// beyond its limit; 504 for a deadline; 499 for a client that went away; else 500 without a word of the error. The
// error itself becomes the cause. From(nil) is nil.
func From(err error) *Problem {
	if err == nil {
		return nil
	}
	var known *Problem
	if errors.As(err, &known) && known != nil {
		return known.causedBy(err)
	}
	var reporter Reporter
	if errors.As(err, &reporter) {
		if p := reporter.Problem(); p != nil {
			return p.causedBy(err)
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return TooLarge("body_too_large", fmt.Sprintf("The request body is larger than %d bytes.", tooLarge.Limit)).WithCause(err)
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout("deadline_exceeded", "There was no answer within the time limit.").WithCause(err)
	case errors.Is(err, context.Canceled):
		return New(StatusClientClosed, "client_closed_request", "").WithCause(err)
	}
	return Internal(err)
}

// causedBy keeps the wrapping text for the log, unless err is the problem itself.
func (p *Problem) causedBy(err error) *Problem {
	if p.Cause != nil || error(p) == err { //nolint:errorlint // the very same, not one in the chain
		return p
	}
	return p.WithCause(err)
}
