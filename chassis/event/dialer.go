package event

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

var errShut = errors.New("the consumer's connections are closed")

// dialer opens connections and can close them all. kafka-go has no other way to end a request that waits at the broker: a
// fetch for new records, or a join for the group's other members.
type dialer struct {
	*kafka.Dialer
	mu   sync.Mutex
	open map[net.Conn]bool
	shut bool
}

func newDialer(c Connection) *dialer {
	d := &dialer{open: map[net.Conn]bool{}}
	d.Dialer = &kafka.Dialer{ClientID: "trellis", Timeout: 3 * time.Second, TLS: c.TLS, SASLMechanism: c.SASL, DialFunc: d.dial}
	return d
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return nil, errors.Join(errShut, conn.Close())
	}
	d.open[conn] = true
	return &dialled{Conn: conn, dialer: d}, nil
}

// cut closes the open connections.
func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.open {
		_ = conn.Close() // what was under way on it is given up
	}
	clear(d.open)
}

// close closes the open connections and opens no more.
func (d *dialer) close() {
	d.mu.Lock()
	d.shut = true
	d.mu.Unlock()
	d.cut()
}

type dialled struct {
	net.Conn
	dialer *dialer
}

func (c *dialled) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.open, c.Conn)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}

// closeReader ends a reader. Its fetch may wait at the broker for seconds yet, so the connections, which nobody needs any
// more, are closed under it.
func closeReader(reader *kafka.Reader, d *dialer) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = reader.Close() // it only reports connections that were closed under it
	}()
	d.close()
	<-closed
}

// throttle lets a complaint that repeats itself through only now and then.
type throttle struct {
	mu   sync.Mutex
	next time.Time
}

func (t *throttle) warn(log *slog.Logger, message string, err error, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.After(t.next) {
		t.next = now.Add(10 * time.Second)
		log.Warn(message, append([]any{"error", err}, args...)...)
	}
}

// clear lets the next complaint through.
func (t *throttle) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = time.Time{}
}
