package httpserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// observe gives a request its context and sees to everything that has to happen whatever becomes of it: recovery,
// metrics and the access log. Faults and limits come before any work is done for the request.
func (s *Server) observe(c *gin.Context) {
	r := s.begin(c)
	if !s.opt.Unmeasured {
		s.operations.metrics.inFlight.Inc()
	}
	defer s.finish(c, r)

	if s.opt.Fault != nil {
		s.opt.Fault.Apply(c, r.op.id)
	}
	if c.IsAborted() || !limitBody(c, r.op.bodyLimit) {
		return
	}
	switch {
	case r.op.stream != nil:
		defer s.stream(c, r)()
	case r.op.slow:
		allowSlow(c.Writer, r.ends())
	}
	c.Next()
}

func (s *Server) begin(c *gin.Context) *request {
	op, now := s.operations.of(c), time.Now()
	ctx, span := s.tracing.begin(c, op)
	r := &request{
		Context: ctx,
		span:    span,
		ids:     takeIDs(c.Request.Header, s.opt.NewID),
		op:      op,
		header:  c.Request.Header,
		remote:  c.Request.RemoteAddr,
		start:   now,
	}
	answer := c.Writer.Header()
	r.idHeader[0] = r.ids.Request
	answer[headerRequestID] = r.idHeader[:]
	if r.ids.Correlation != r.ids.Request {
		answer.Set(headerCorrelationID, r.ids.Correlation)
	}
	c.Request = c.Request.WithContext(r)
	return r
}

// finish must be deferred itself, since it recovers.
func (s *Server) finish(c *gin.Context, r *request) {
	cut := s.recovered(c, r, recover())
	status := c.Writer.Status()
	if cut && !c.Writer.Written() {
		status = 0 // the client gets no answer
	}
	elapsed := time.Since(r.start)
	if !s.opt.Unmeasured {
		s.measure(r, status, cut, elapsed)
	}
	s.log(c, r, status, cut, elapsed)
	s.tracing.end(r.span, status, cut, elapsed)
	r.end()
	if cut {
		panic(http.ErrAbortHandler) // net/http closes the connection and says nothing
	}
}

// measure counts and times the request.
func (s *Server) measure(r *request, status int, cut bool, elapsed time.Duration) {
	m := s.operations.metrics
	m.inFlight.Dec()
	r.op.count(m, status, r.header).Inc()
	if s.tracing.kept(status, cut, elapsed) {
		telemetry.ObserveKept(r, r.op.duration, elapsed.Seconds())
	} else {
		telemetry.Observe(r, r.op.duration, elapsed.Seconds())
	}
}

// recovered answers 500 to a request whose handler panicked. It reports whether the connection has to be cut instead,
// because the handler wants that or because half an answer is out already.
func (s *Server) recovered(c *gin.Context, r *request, panicked any) (cut bool) {
	if panicked == nil {
		return false
	}
	if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	s.operations.metrics.panics.Inc()
	s.opt.Telemetry.Log.LogAttrs(r, slog.LevelError, "panic",
		slog.String("operation", r.op.id),
		slog.String("error", fmt.Sprint(panicked)),
		slog.String("stack", string(debug.Stack())))
	half := c.Writer.Written()
	problem.Abort(c, problem.Internal(fmt.Errorf("panic: %v", panicked)))
	return half
}

// log writes the access log's line. It makes the record itself, since slog.Logger looks up the caller's place in the
// source for each record, and the place is always this one.
func (s *Server) log(c *gin.Context, r *request, status int, cut bool, elapsed time.Duration) {
	level := slog.LevelInfo
	if cut || status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	handler := s.opt.Telemetry.Log.Handler()
	if !handler.Enabled(r, level) {
		return
	}
	record := slog.NewRecord(r.start.Add(elapsed), level, "request", 0)
	record.AddAttrs(
		slog.String("method", c.Request.Method),
		slog.String("path", c.Request.URL.Path),
		slog.String("operation", r.op.id),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(elapsed.Microseconds())/1e3))
	if cut {
		record.AddAttrs(slog.Bool("aborted", true))
	}
	if len(c.Errors) > 0 {
		record.AddAttrs(slog.String("error", c.Errors.Last().Error()))
	}
	_ = handler.Handle(r, record) // there is no place to report a log that cannot be written
}

// limitBody bounds the request's body. A length that is announced is kept by net/http, so only a body without one needs
// to be counted.
func limitBody(c *gin.Context, limit int64) bool {
	switch length := c.Request.ContentLength; {
	case limit < 0 || length == 0:
	case length > limit:
		c.Writer.Header().Set("Connection", "close") // rather than read what nobody wants
		problem.Abort(c, &http.MaxBytesError{Limit: limit})
		return false
	case length < 0:
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	}
	return true
}

// slowGrace is what the connection gets beyond an operation's own deadline, to write the answer.
const slowGrace = 5 * time.Second

// allowSlow moves the connection's deadlines to the operation's own. A writer without deadlines, as in tests, has none to
// move.
func allowSlow(w http.ResponseWriter, deadline time.Time) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(deadline.Add(slowGrace))
	_ = control.SetWriteDeadline(deadline.Add(slowGrace))
}
