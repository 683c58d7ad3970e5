//go:build unix

package httpserver_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/fault"
	"github.com/trellis-mesh/trellis/chassis/health"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/httpserver/internal/greeting"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// BenchmarkStack compares handlers written for bare gin with a generated strict server behind the whole stack, over real
// connections. The rounds are interleaved, since other work on the machine comes and goes; the ratio of the throughputs is
// what the budget is about.
//
//	go test -run '^$' -bench Stack -cpuprofile cpu.out ./chassis/httpserver
func BenchmarkStack(b *testing.B) {
	for _, request := range []struct{ name, raw string }{
		{"get", "GET /v1/greetings/abc HTTP/1.1\r\nHost: greeter\r\nUser-Agent: bench\r\n\r\n"},
		{"traced", "GET /v1/greetings/abc HTTP/1.1\r\nHost: greeter\r\nUser-Agent: bench\r\nX-Request-Id: 4bf92f3577b34da6\r\n" +
			"Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\n\r\n"},
		{"post", "POST /v1/greetings HTTP/1.1\r\nHost: greeter\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n" +
			`{"name":"Ada Lovelace","language":"eng"}`},
	} {
		b.Run(request.name, func(b *testing.B) { compare(b, []byte(request.raw)) })
	}
}

func compare(b *testing.B, request []byte) {
	bare, full := serveBare(b), serveFull(b)
	const rounds, each = 10, 2000
	var bareTook, fullTook cost
	for b.Loop() {
		for range rounds {
			bareTook.add(load(b, bare, request, each))
			fullTook.add(load(b, full, request, each))
		}
	}
	total := float64(b.N) * rounds * each
	b.ReportMetric(total/bareTook.wall.Seconds(), "bare-req/s")
	b.ReportMetric(total/fullTook.wall.Seconds(), "full-req/s")
	b.ReportMetric(float64(bareTook.wall)/float64(fullTook.wall), "ratio")
	b.ReportMetric(float64(bareTook.cpu)/float64(fullTook.cpu), "cpu-ratio")
	b.ReportMetric(float64((fullTook.cpu-bareTook.cpu).Microseconds())/total, "µs-more")
	b.ReportMetric(0, "ns/op")
}

// cost is what requests took. The processor time, the client's included, tells more than the wall clock on a busy machine.
type cost struct{ wall, cpu time.Duration }

func (c *cost) add(more cost) {
	c.wall += more.wall
	c.cpu += more.cpu
}

func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func routes(router gin.IRouter) {
	router.GET("/v1/greetings/:id", func(c *gin.Context) {
		c.JSON(http.StatusOK, greeting.Greeting{Id: c.Param("id"), Name: "Ada"})
	})
	router.POST("/v1/greetings", func(c *gin.Context) {
		var body greeting.NewGreeting
		if err := c.ShouldBindJSON(&body); err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		c.JSON(http.StatusCreated, greeting.Greeting{Id: "1", Name: body.Name, Size: body.Size})
	})
}

func serveBare(b *testing.B) string {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	routes(engine)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: engine, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

func serveFull(b *testing.B) string {
	tel, err := telemetry.New(context.Background(), telemetry.Options{
		Service: "greeter", Output: io.Discard, LogDelay: 10 * time.Millisecond, Ratio: 0.1, Exporter: tracetest.NewNoopExporter(),
	})
	if err != nil {
		b.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{
		Addr: "127.0.0.1:0", Contract: greeting.Contract, Telemetry: tel, Health: health.New(health.Options{}), Fault: fault.New(fault.Options{}),
	})
	if err != nil {
		b.Fatal(err)
	}
	httpserver.Register(server.Router(), greeting.StrictServerInterface(&greeter{}), greeting.NewStrictHandlerWithOptions, greeting.RegisterHandlersWithOptions)
	if err := server.Listen(context.Background()); err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(context.Background()) }()
	b.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	return server.Addr()
}

// load sends n requests over 8 connections and gives what that took.
func load(b *testing.B, addr string, request []byte, n int) cost {
	const connections = 8
	begin, cpu, failed := time.Now(), processorTime(b), make(chan error, connections)
	for range connections {
		go func() { failed <- send(addr, request, n/connections) }()
	}
	for range connections {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	return cost{time.Since(begin), processorTime(b) - cpu}
}

func send(addr string, request []byte, n int) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for range n {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := skipAnswer(reader); err != nil {
			return err
		}
	}
	return nil
}

// skipAnswer reads one answer, as cheaply as it can be done.
func skipAnswer(r *bufio.Reader) error {
	length := 0
	for line := 0; ; line++ {
		text, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line == 0 && !bytes.HasPrefix(text, []byte("HTTP/1.1 20")) {
			return fmt.Errorf("answer %q", text)
		}
		if len(text) <= 2 {
			_, err := r.Discard(length)
			return err
		}
		if value, ok := bytes.CutPrefix(text, []byte("Content-Length: ")); ok {
			for _, digit := range bytes.TrimSpace(value) {
				length = length*10 + int(digit-'0')
			}
		}
	}
}
