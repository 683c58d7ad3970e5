package httpserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// streaming is the extension x-stream of an operation whose body or answer takes long because it is large. How long a client may take
// does then not depend on the clock but on what it moves: it may keep the server waiting for stall in all, and each byte gives back
// the time that it takes at rate, up to stall. So a client that is silent for stall is cut off, as is one that is slower than rate for
// long; one that is as fast as rate may go on until x-timeout, and the server's own work is not counted.
type streaming struct {
	stall time.Duration
	rate  float64 // bytes a second
}

// The bounds of x-stream. Below them a client could hold a connection for next to nothing.
const (
	shortestStall = 100 * time.Millisecond
	longestStall  = 5 * time.Minute
	lowestRate    = 16
)

// readStreaming reads x-stream: {stall: 15s, rate: 4096}.
func readStreaming(value any) (*streaming, error) {
	wrong := fmt.Errorf("x-stream is %v; give {stall: 15s, rate: 4096}: a duration from %v to %v, and bytes a second, at least %d",
		value, shortestStall, longestStall, lowestRate)
	members, _ := value.(map[string]any)
	text, _ := members["stall"].(string)
	rate, _ := members["rate"].(float64)
	stall, err := time.ParseDuration(text)
	if err != nil || len(members) != 2 || stall < shortestStall || stall > longestStall || rate < lowestRate {
		return nil, wrong
	}
	return &streaming{stall: stall, rate: rate}, nil
}

// meter is how long a client may still keep the server waiting.
type meter struct {
	*streaming
	left time.Duration
}

func (s *streaming) meter() meter { return meter{s, s.stall} }

// count counts a wait and the bytes that it brought.
func (m *meter) count(waited time.Duration, bytes int) {
	m.left = min(m.stall, m.left-waited+time.Duration(float64(bytes)/m.rate*float64(time.Second)))
}

// streams are the bodies that are being read.
type streams struct {
	mu      sync.Mutex
	open    map[*streamedBody]bool
	stopped bool
}

var errStopping = problem.Unavailable("stopping", "The service stops. Send what is missing again.").WithRetryAfter(time.Second)

// begin adds a body.
func (s *streams) begin(b *streamedBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*streamedBody]bool{}
	}
	s.open[b] = true
}

func (s *streams) end(b *streamedBody) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, b)
}

// stop ends all reading: who uploads for an hour would else keep the service from stopping, or be cut off in the middle of a write.
func (s *streams) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for b := range s.open {
		_ = b.control.SetReadDeadline(time.Unix(1, 0)) // who is waiting is woken
	}
}

// allow sets the deadline of a read unless all reading has been stopped; the lock keeps the two in order.
func (s *streams) allow(b *streamedBody, deadline time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		_ = b.control.SetReadDeadline(deadline)
	}
	return !s.stopped
}

// stream has the request's connection live as long as its bytes move, and gives what is to be done when it has been handled.
func (s *Server) stream(c *gin.Context, r *request) (done func()) {
	ends := r.ends()
	control := http.NewResponseController(c.Writer)
	_ = control.SetWriteDeadline(ends.Add(slowGrace)) // a writer without deadlines, as in tests, has none to move
	_ = control.SetReadDeadline(ends.Add(slowGrace))
	c.Writer = &streamedWriter{ResponseWriter: c.Writer, control: control, ends: ends, meter: r.op.stream.meter()}
	if c.Request.Body == nil || c.Request.Body == http.NoBody {
		return func() { _ = control.SetWriteDeadline(time.Now().Add(slowGrace)) }
	}
	body := &streamedBody{ReadCloser: c.Request.Body, control: control, streams: &s.streams, ends: ends, meter: r.op.stream.meter()}
	_ = control.SetReadDeadline(time.Now().Add(r.op.stream.stall))
	c.Request.Body = body
	s.streams.begin(body)
	return func() {
		s.streams.end(body)
		if !body.read { // net/http reads some of what the handler left before it answers
			s.streams.allow(body, time.Now().Add(r.op.stream.stall))
		}
		_ = control.SetWriteDeadline(time.Now().Add(r.op.stream.stall + slowGrace))
	}
}

// streamedBody bounds how long each read may take, and gives errors that say what happened.
type streamedBody struct {
	io.ReadCloser
	meter
	control *http.ResponseController
	streams *streams
	ends    time.Time
	read    bool // to its end
}

// Read implements io.Reader.
func (b *streamedBody) Read(p []byte) (int, error) {
	begun := time.Now()
	if !b.streams.allow(b, sooner(begun.Add(b.left), b.ends)) {
		return 0, errStopping
	}
	n, err := b.ReadCloser.Read(p)
	b.count(time.Since(begun), n)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		// From now on net/http watches the connection, and takes a deadline for the client's end.
		b.read = true
		_ = b.control.SetReadDeadline(b.ends.Add(slowGrace))
		return n, err
	case !b.streams.allow(b, b.ends):
		return n, errStopping
	}
	return n, bodyError(err)
}

// streamedWriter bounds how long the client may take to read what is written.
type streamedWriter struct {
	gin.ResponseWriter
	meter
	control *http.ResponseController
	ends    time.Time
}

// Write implements http.ResponseWriter.
func (w *streamedWriter) Write(p []byte) (int, error) {
	return w.timed(func() (int, error) { return w.ResponseWriter.Write(p) })
}

// WriteString implements io.StringWriter.
func (w *streamedWriter) WriteString(text string) (int, error) {
	return w.timed(func() (int, error) { return w.ResponseWriter.WriteString(text) })
}

// Flush implements http.Flusher.
func (w *streamedWriter) Flush() {
	_, _ = w.timed(func() (int, error) { w.ResponseWriter.Flush(); return 0, nil })
}

// Unwrap is for http.ResponseController.
func (w *streamedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *streamedWriter) timed(write func() (int, error)) (int, error) {
	begun := time.Now()
	_ = w.control.SetWriteDeadline(sooner(begun.Add(w.left), w.ends.Add(slowGrace)))
	n, err := write()
	w.count(time.Since(begun), n)
	return n, err
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
