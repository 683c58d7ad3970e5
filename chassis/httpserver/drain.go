package httpserver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// sweepingListener closes without a loss. A listening socket that is closed resets the connections that wait in the
// kernel's queue, though their clients were told that they are connected; so it takes all of them first, and holds them
// until it is closed: a client that is not answered yet does not come back with the next request meanwhile. And
// http.Server.Shutdown closes connections whose first request it has not read; so it waits for these before.
type sweepingListener struct {
	net.Listener
	sweeping chan struct{} // closed when the last connections are to be taken
	swept    chan struct{} // closed when they have been
	drained  chan struct{} // closed when all have been answered

	sweepOnce, sweptOnce, drainedOnce, closeOnce sync.Once

	closeErr error
	active   atomic.Int64 // connections with a request under way
	mu       sync.Mutex
	fresh    map[*trackedConn]bool // connections that have sent nothing yet

	// Only Accept uses these, which net/http calls from one goroutine.
	held []net.Conn
	over bool
}

var errSwept = errors.New("the listener has been closed after its last connection")

func newSweepingListener(l net.Listener) *sweepingListener {
	return &sweepingListener{
		Listener: l, sweeping: make(chan struct{}), swept: make(chan struct{}), drained: make(chan struct{}),
		fresh: map[*trackedConn]bool{},
	}
}

// The bounds of a drain. The gap is long enough for a client on a busy machine to come back with its next request, and for
// the round trip of a handshake. Patience is for a client's time from connecting to its request; one that connects in advance
// and stays silent costs the whole of it.
const (
	sweepGap   = 50 * time.Millisecond
	sweepLimit = 2 * time.Second
	patience   = 2 * time.Second
)

// sweep makes Accept take what is left and waits until it has.
func (l *sweepingListener) sweep(ctx context.Context) {
	l.sweepOnce.Do(func() {
		close(l.sweeping)
		l.expire(0)
	})
	select {
	case <-l.swept:
	case <-ctx.Done():
	}
}

// settle waits until no connection has a request under way or may be about to send its first.
func (l *sweepingListener) settle(ctx context.Context) {
	impatient := time.AfterFunc(patience, l.hangUpOnSilent)
	defer impatient.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for l.active.Load() > 0 || l.silent() > 0 {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *sweepingListener) silent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.fresh)
}

func (l *sweepingListener) hangUpOnSilent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.fresh {
		_ = conn.Close() // nothing was said on it
	}
}

func (l *sweepingListener) markSwept()   { l.sweptOnce.Do(func() { close(l.swept) }) }
func (l *sweepingListener) markDrained() { l.drainedOnce.Do(func() { close(l.drained) }) }

// expire bounds the next Accept.
func (l *sweepingListener) expire(after time.Duration) {
	if bounded, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = bounded.SetDeadline(time.Now().Add(after)) // a closed listener needs no bound
	}
}

// Accept takes a connection.
func (l *sweepingListener) Accept() (net.Conn, error) {
	if !l.over {
		conn, err := l.Listener.Accept()
		select {
		case <-l.sweeping:
			l.hold(conn, err)
		default:
			return l.track(conn), err
		}
	}
	if len(l.held) == 0 {
		l.markSwept()
		return nil, errSwept
	}
	conn := l.held[0]
	l.held = l.held[1:]
	return l.track(conn), nil
}

// hold takes connections until none comes for a while, and closes the listener. It begins with what woke Accept up: a
// connection, or the deadline, which also kept that Accept from looking at the queue.
func (l *sweepingListener) hold(conn net.Conn, err error) {
	limit := time.Now().Add(sweepLimit)
	for woken := true; err == nil || woken; woken = false {
		if err == nil {
			l.held = append(l.held, conn)
		}
		l.expire(min(sweepGap, time.Until(limit)))
		conn, err = l.Listener.Accept()
	}
	l.over = true
	_ = l.Close() // net/http asks again and is told
}

// Close closes the listener once: net/http does it too.
func (l *sweepingListener) Close() error {
	l.closeOnce.Do(func() { l.closeErr = l.Listener.Close() })
	return l.closeErr
}

// track lets the listener know a connection's state.
func (l *sweepingListener) track(conn net.Conn) net.Conn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &trackedConn{TCPConn: tcp, listener: l}
	}
	return conn
}

// trackedConn tells its listener whether it is fresh, active, or neither.
type trackedConn struct {
	*net.TCPConn
	listener *sweepingListener
	state    atomic.Int32 // an http.ConnState
}

// enter is told each change of the state. The new state counts before the old one ceases to, so that the connection is
// never seen in neither.
func (c *trackedConn) enter(state http.ConnState) {
	last := http.ConnState(c.state.Swap(int32(state))) //nolint:gosec // there are five states
	switch state {
	case http.StateNew:
		c.listener.mu.Lock()
		c.listener.fresh[c] = true
		c.listener.mu.Unlock()
		return
	case http.StateActive:
		c.listener.active.Add(1)
	case http.StateIdle, http.StateClosed, http.StateHijacked:
	}
	switch last {
	case http.StateNew:
		c.listener.mu.Lock()
		delete(c.listener.fresh, c)
		c.listener.mu.Unlock()
	case http.StateActive:
		c.listener.active.Add(-1)
	case http.StateIdle, http.StateClosed, http.StateHijacked:
	}
}
