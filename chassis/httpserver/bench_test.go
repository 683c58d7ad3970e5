package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/fault"
	"github.com/trellis-mesh/trellis/chassis/health"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

// BenchmarkStack compares bare gin with the whole stack over real connections. The rounds are interleaved, since other
// work on the machine comes and goes; the ratio of the throughputs is what the budget is about.
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
	var bareTime, fullTime time.Duration
	for b.Loop() {
		for range rounds {
			bareTime += load(b, bare, request, each)
			fullTime += load(b, full, request, each)
		}
	}
	total := float64(b.N) * rounds * each
	b.ReportMetric(total/bareTime.Seconds(), "bare-req/s")
	b.ReportMetric(total/fullTime.Seconds(), "full-req/s")
	b.ReportMetric(float64(bareTime)/float64(fullTime), "ratio")
	b.ReportMetric(0, "ns/op")
}

func routes(router gin.IRouter) {
	router.GET("/v1/greetings/:id", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"id": c.Param("id"), "name": "Ada Lovelace", "language": "eng"})
	})
	router.POST("/v1/greetings", func(c *gin.Context) {
		var body struct{ Name, Language string }
		if err := c.ShouldBindJSON(&body); err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		c.JSON(http.StatusCreated, gin.H{"id": "abc", "name": body.Name, "language": body.Language})
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
	server, err := New(Options{
		Addr: "127.0.0.1:0", Contract: []byte(greetings), Telemetry: tel, Health: health.New(health.Options{}), Fault: fault.New(fault.Options{}),
	})
	if err != nil {
		b.Fatal(err)
	}
	routes(server.Router())
	if err := server.Listen(context.Background()); err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(context.Background()) }()
	b.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	_ = slog.LevelInfo
	return server.Addr()
}

// load sends n requests over each of 8 connections and gives the time that took.
func load(b *testing.B, addr string, request []byte, n int) time.Duration {
	const connections = 8
	begin, failed := time.Now(), make(chan error, connections)
	for range connections {
		go func() { failed <- send(addr, request, n/connections) }()
	}
	for range connections {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
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

const greetings = `
openapi: 3.0.3
info: {title: greeter, version: "1"}
paths:
  /v1/greetings:
    post:
      operationId: createGreeting
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/NewGreeting"}
      responses:
        "201": {description: created}
    get:
      operationId: listGreetings
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
        - {name: X-Tenant, in: header, schema: {type: string, pattern: "^[a-z]+$"}}
      responses:
        "200": {description: ok}
  /v1/greetings/{id}:
    get:
      operationId: getGreeting
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses:
        "200": {description: ok}
components:
  schemas:
    NewGreeting:
      type: object
      required: [name]
      additionalProperties: false
      properties:
        name: {type: string, minLength: 1, maxLength: 100}
        language: {type: string, enum: [eng, deu]}
        tags: {type: array, maxItems: 10, items: {type: string, minLength: 1}}
        email: {type: string, format: email}
`
