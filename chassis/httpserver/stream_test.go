package httpserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

const streamingContract = `
openapi: 3.0.3
info: {title: files, version: 1.0.0}
paths:
  /files:
    put:
      operationId: upload
      x-timeout: 20s
      x-body-limit: 1000000
      x-stream: {stall: 300ms, rate: 1000}
      requestBody: {required: true, content: {text/csv: {schema: {type: string}}}}
      responses: {"200": {description: taken}}
    get:
      operationId: download
      x-timeout: 20s
      x-stream: {stall: 300ms, rate: 1000}
      responses: {"200": {description: a file}}
`

// files serves the contract on a port, with time limits that a stream goes far beyond, and gives the address.
func files(t *testing.T, method string, handle gin.HandlerFunc) (*bench, string) {
	t.Helper()
	b := setUp(t, 0, nil, func(o *httpserver.Options) {
		o.Contract, o.RequestTimeout, o.WriteTimeout = []byte(streamingContract), 200*time.Millisecond, 200*time.Millisecond
	})
	b.Router().Handle(method, "/files", handle)
	return b, strings.TrimPrefix(b.start(t), "http://")
}

// count answers with how many bytes came.
func count(c *gin.Context) {
	n, err := io.Copy(io.Discard, c.Request.Body)
	if err != nil {
		problem.Abort(c, err)
		return
	}
	c.String(http.StatusOK, "%d", n)
}

// open begins an upload of so many bytes.
func open(t *testing.T, addr string, length int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	say(t, conn, "PUT /files HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n", length)
	return conn
}

func say(t *testing.T, conn net.Conn, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, format, args...); err != nil {
		t.Fatal(err)
	}
}

// hear gives the status and the body of the answer.
func hear(t *testing.T, conn net.Conn) (int, string) {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// every calls do so many times, at that pace.
func every(pace time.Duration, times int, do func() bool) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for range times {
		if !do() {
			return
		}
		<-tick.C
	}
}

func TestStreamThatMovesOutlivesTheServersLimits(t *testing.T) {
	_, addr := files(t, http.MethodPut, count)
	conn := open(t, addr, 20*500)
	every(50*time.Millisecond, 20, func() bool { // a second, and 10000 bytes in it
		say(t, conn, "%s", strings.Repeat("x", 500))
		return true
	})
	if status, body := hear(t, conn); status != http.StatusOK || body != "10000" {
		t.Errorf("%d %s", status, body)
	}
}

func TestStreamThatStallsIsCutOff(t *testing.T) {
	_, addr := files(t, http.MethodPut, count)
	conn := open(t, addr, 1000)
	say(t, conn, "half of it")
	begun := time.Now()
	status, body := hear(t, conn)
	if took := time.Since(begun); status != http.StatusRequestTimeout || !strings.Contains(body, "body_timeout") || took < 200*time.Millisecond {
		t.Errorf("%d %s after %v", status, body, took)
	}
}

func TestStreamThatTricklesIsCutOff(t *testing.T) {
	_, addr := files(t, http.MethodPut, count)
	conn := open(t, addr, 1000)
	sent := 0
	every(50*time.Millisecond, 100, func() bool { // never silent for long, and a fiftieth of the rate
		_, err := conn.Write([]byte("x"))
		sent++
		return err == nil
	})
	if sent == 100 {
		t.Error("a client that sends 20 bytes a second was waited for")
	}
}

func TestStreamIsBoundByItsOwnLimit(t *testing.T) {
	_, addr := files(t, http.MethodPut, count)
	conn := open(t, addr, 1_000_001)
	if status, body := hear(t, conn); status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", status, body)
	}
}

func TestStreamThatEndsEarlySaysSo(t *testing.T) {
	failed := make(chan error, 1)
	_, addr := files(t, http.MethodPut, func(c *gin.Context) {
		_, err := io.Copy(io.Discard, c.Request.Body)
		failed <- err
	})
	conn := open(t, addr, 1000)
	say(t, conn, "half of it")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, problem.BadRequest("incomplete_body", "")) {
		t.Errorf("error %v", err)
	}
}

func TestBodyThatNobodyReadsHoldsNothing(t *testing.T) {
	_, addr := files(t, http.MethodPut, func(c *gin.Context) { c.String(http.StatusConflict, "no") })
	conn := open(t, addr, 1000) // little enough for net/http to wait for it
	begun := time.Now()
	if status, body := hear(t, conn); status != http.StatusConflict || body != "no" {
		t.Errorf("%d %s", status, body)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the answer took %v", took)
	}
}

func TestSlowWorkIsNotTheClientsFault(t *testing.T) {
	_, addr := files(t, http.MethodPut, func(c *gin.Context) {
		for range 3 {
			if _, err := io.CopyN(io.Discard, c.Request.Body, 10); err != nil {
				problem.Abort(c, err)
				return
			}
			select {
			case <-time.After(400 * time.Millisecond): // longer than a client may stall
			case <-c.Request.Context().Done():
				problem.Abort(c, c.Request.Context().Err())
				return
			}
		}
		count(c)
	})
	conn := open(t, addr, 1000)
	say(t, conn, "%s", strings.Repeat("x", 1000))
	if status, body := hear(t, conn); status != http.StatusOK || body != "970" {
		t.Errorf("%d %s", status, body)
	}
}

func TestReaderThatStallsIsCutOff(t *testing.T) {
	failed := make(chan error, 1)
	_, addr := files(t, http.MethodGet, func(c *gin.Context) {
		piece := make([]byte, 1<<20)
		for {
			if _, err := c.Writer.Write(piece); err != nil {
				failed <- err
				return
			}
		}
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	say(t, conn, "GET /files HTTP/1.1\r\nHost: a\r\n\r\n")
	select {
	case err := <-failed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Error("a client that reads nothing was waited for")
	}
}

func TestShutdownEndsStreams(t *testing.T) {
	reading := make(chan struct{}, 1)
	b, addr := files(t, http.MethodPut, func(c *gin.Context) {
		if _, err := io.CopyN(io.Discard, c.Request.Body, 4); err != nil {
			problem.Abort(c, err)
			return
		}
		reading <- struct{}{}
		count(c)
	})
	conn := open(t, addr, 100_000)
	say(t, conn, "%s", strings.Repeat("x", 5000))
	<-reading
	stop := make(chan error, 1)
	go func() { stop <- b.Shutdown(context.Background()) }()
	if status, body := hear(t, conn); status != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("%d %s", status, body)
	}
	if err := <-stop; err != nil {
		t.Error(err)
	}
}

func TestStreamMustBeDeclaredWell(t *testing.T) {
	for name, value := range map[string]string{
		"no rate":           "{stall: 15s}",
		"no stall":          "{rate: 4096}",
		"no duration":       "{stall: 15, rate: 4096}",
		"too short a stall": "{stall: 1ms, rate: 4096}",
		"too long a stall":  "{stall: 1h, rate: 4096}",
		"too low a rate":    "{stall: 15s, rate: 1}",
		"something else":    "{stall: 15s, rate: 4096, burst: 1}",
		"no object":         "15s",
	} {
		t.Run(name, func(t *testing.T) {
			contract := strings.ReplaceAll(streamingContract, "{stall: 300ms, rate: 1000}", value)
			b := setUp(t, 0, nil, nil)
			_, err := httpserver.New(httpserver.Options{Contract: []byte(contract), Telemetry: b.tel})
			if err == nil || !strings.Contains(err.Error(), "x-stream") {
				t.Errorf("error %v", err)
			}
		})
	}
}
