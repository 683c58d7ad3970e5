package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// serving starts a server with one route.
func serving(t *testing.T) (server *httpserver.Server, done chan error) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Options{Service: "test", Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	server, err = httpserver.New(httpserver.Options{Addr: "127.0.0.1:0", Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	server.Router().GET("/work", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	if err := server.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() { done <- server.Serve(context.WithoutCancel(t.Context())) }()
	return server, done
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func ask(conn net.Conn) error {
	if _, err := io.WriteString(conn, "GET /work HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent || !resp.Close {
		return errors.New("not the answer of a server that drains: " + resp.Status)
	}
	return resp.Body.Close()
}

// Whoever was told that they are connected is answered, even if they ask only once the server has begun to stop.
func TestShutdownAnswersEveryConnection(t *testing.T) {
	server, done := serving(t)
	address := server.Addr()
	var conns []net.Conn
	for range 50 {
		conns = append(conns, dial(t, address))
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Shutdown(context.WithoutCancel(t.Context())) }()
	for again := time.NewTicker(100 * time.Millisecond); ; <-again.C { // until the port is closed
		conn, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		conns = append(conns, conn)
	}
	for i, conn := range conns {
		if err := ask(conn); err != nil {
			t.Errorf("connection %d of %d: %v", i, len(conns), err)
		}
	}
	if err := errors.Join(<-stopped, <-done); err != nil {
		t.Error(err)
	}
}

func TestSilentConnectionDoesNotHoldUpShutdown(t *testing.T) {
	server, done := serving(t)
	silent := dial(t, server.Addr())
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// net/http's own patience with such a connection is 5 s.
	if err := errors.Join(server.Shutdown(ctx), <-done); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was left open")
	}
}
