package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/httpserver/internal/greeting"
)

// gated is a handler whose get waits.
func gated() (g *greeter, entered chan struct{}, release chan struct{}) {
	entered, release = make(chan struct{}, 1000), make(chan struct{})
	return &greeter{get: func(ctx context.Context, r greeting.GetGreetingRequestObject) (greeting.GetGreetingResponseObject, error) {
		entered <- struct{}{}
		select {
		case <-release:
			return greeting.GetGreeting200JSONResponse{Id: r.Id}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}, entered, release
}

// wait polls for a condition that has no event of its own.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting: %s", what)
		}
	}
}

func TestShutdownAnswersWhatIsUnderWay(t *testing.T) {
	g, entered, release := gated()
	b := setUp(t, 0, g, nil)
	if err := b.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	url, served := "http://"+b.Addr(), make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()

	answered := make(chan string, 1)
	go func() {
		_, body := get(t, http.DefaultClient, url+"/v1/greetings/abc")
		answered <- body
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- b.Shutdown(context.Background()) }()
	wait(t, "the port is closed", func() bool {
		conn, err := net.Dial("tcp", b.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-down:
		t.Fatalf("shut down before the answer: %v", err)
	case err := <-served:
		t.Fatalf("served before the answer: %v", err)
	default:
	}
	close(release)
	if body := <-answered; !strings.Contains(body, "abc") {
		t.Errorf("answer %q", body)
	}
	if err := errors.Join(<-down, <-served); err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsOffWhatTakesTooLong(t *testing.T) {
	g, entered, _ := gated()
	b := setUp(t, 0, g, nil)
	if err := b.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	served, cut := make(chan error, 1), make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()
	go func() {
		answer, err := http.Get("http://" + b.Addr() + "/v1/greetings/abc")
		if err == nil {
			_ = answer.Body.Close()
		}
		cut <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := <-cut; err == nil {
		t.Error("the client got an answer")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	wait(t, "the handler's context ends", func() bool { return len(b.log.lines(t, "request")) == 1 })
}

func TestDrainingLetsGoOfConnections(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	url := b.start(t)
	client := &http.Client{Transport: &http.Transport{}}
	if answer, _ := get(t, client, url+"/v1/greetings/abc"); answer.Close {
		t.Error("the connection is closed before draining")
	}
	b.Drain()
	for _, path := range []string{"/v1/greetings/abc", "/none", "/health/live"} {
		if answer, _ := get(t, client, url+path); !answer.Close || answer.StatusCode >= 500 {
			t.Errorf("%s: %d, close %v", path, answer.StatusCode, answer.Close)
		}
	}
}

// refused reports whether a client was never connected: the kernel answers a handshake at a port that is just being closed
// with a refusal or a reset.
func refused(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// Clients go on sending while the server drains and stops. After Drain a connection may be refused; none may be cut off.
func TestNoRequestIsLostInAShutdown(t *testing.T) {
	for round := range 3 {
		b := setUp(t, 0, &greeter{}, nil)
		if err := b.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		url, served := "http://"+b.Addr()+"/v1/greetings/abc", make(chan error, 1)
		go func() { served <- b.Serve(context.Background()) }()

		var answers atomic.Int64
		var clients sync.WaitGroup
		for range 20 {
			clients.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for {
					answer, err := client.Get(url)
					if refused(err) {
						return
					}
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
					if answer.StatusCode != http.StatusOK {
						t.Errorf("status %d", answer.StatusCode)
					}
					answers.Add(1)
				}
			})
		}
		wait(t, "answers", func() bool { return answers.Load() > 500 })
		b.Drain()
		before := answers.Load()
		wait(t, "answers while draining", func() bool { return answers.Load() > before+500 })
		if err := b.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		clients.Wait()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	url := b.start(t)
	open := func() float64 {
		n, err := testutil.GatherAndCount(b.tel.Registry, "active_connections")
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		families, err := b.tel.Registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "active_connections" {
				return family.Metric[0].Gauge.GetValue()
			}
		}
		return -1
	}
	client := &http.Client{Transport: &http.Transport{}}
	get(t, client, url+"/v1/greetings/abc")
	wait(t, "one connection", func() bool { return open() == 1 })
	client.CloseIdleConnections()
	wait(t, "no connection", func() bool { return open() == 0 })
}

func TestListenSaysThatThePortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	b := setUp(t, 0, nil, func(o *httpserver.Options) { o.Addr = taken.Addr().String() })
	if err := b.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "the port is taken; stop the program that has it") {
		t.Error(err)
	}
}

func TestShutdownWithoutServe(t *testing.T) {
	b := setUp(t, 0, nil, nil)
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.Serve(t.Context()); err != nil {
		t.Error(err)
	}
	b = setUp(t, 0, nil, nil)
	if err := b.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", b.Addr()); err == nil {
		_ = conn.Close()
		t.Error("the port is still open")
	}
}

func TestTheEndOfServesContextCutsOff(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx) }()
	wait(t, "an answer", func() bool {
		answer, err := http.Get("http://" + b.Addr() + "/health/live")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return true
	})
	cancel()
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	b := setUp(t, 0, &greeter{}, nil)
	b.start(t)
	for name, head := range map[string]string{
		"one":  "X-Huge: " + strings.Repeat("x", 200<<10) + "\r\n",
		"many": strings.Repeat("X-Many: x\r\n", 20000),
	} {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = fmt.Fprintf(conn, "GET /v1/greetings/abc HTTP/1.1\r\nHost: x\r\n%s\r\n", head) }()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
		_ = conn.Close()
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	b := setUp(t, 0, &greeter{}, func(o *httpserver.Options) { o.ReadHeaderTimeout = 20 * time.Millisecond })
	b.start(t)
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
}

func TestOperationsWithoutAHandlerAreReported(t *testing.T) {
	b := setUp(t, 0, nil, nil)
	b.start(t)
	wait(t, "a warning", func() bool {
		return len(b.log.lines(t, "operations of the contract have no handler; they answer 404")) == 1
	})
}
