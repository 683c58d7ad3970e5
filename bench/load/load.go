// Package load sends the same GET over a fixed number of keep-alive connections as fast as the server answers, and
// measures. It writes raw requests and reads only what it must of an answer, because on a small machine an ordinary HTTP
// client costs more than the servers it is to measure. It is not a general HTTP client: answers must carry Content-Length.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options say what is sent.
type Options struct {
	Addr        string // host:port; loopback only
	Path        string
	Connections int
	Duration    time.Duration
}

// Result is what one run measured.
type Result struct {
	Requests int
	Failed   int // answers with another status than 200
	Elapsed  time.Duration
	P50, P99 time.Duration
}

// PerSecond is the throughput.
func (r Result) PerSecond() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// ErrNotLoopback refuses to load anything but this machine.
var ErrNotLoopback = errors.New("load: only a loopback address may be loaded")

// Run loads the server for o.Duration. A broken connection is an error, another status is counted.
func Run(ctx context.Context, o Options) (Result, error) {
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return Result{}, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return Result{}, fmt.Errorf("%w: %s", ErrNotLoopback, o.Addr)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Duration+5*time.Second)
	defer cancel()

	clients := make([]*client, o.Connections)
	for i := range clients {
		if clients[i], err = dial(ctx, o); err != nil {
			return Result{}, err
		}
		defer clients[i].conn.Close()
	}
	return drive(clients, o.Duration)
}

func drive(clients []*client, duration time.Duration) (Result, error) {
	begin := time.Now()
	deadline := begin.Add(duration)
	failures := make([]error, len(clients))
	var wait sync.WaitGroup
	for i, c := range clients {
		wait.Go(func() { failures[i] = c.loop(deadline) })
	}
	wait.Wait()
	result := Result{Elapsed: time.Since(begin)}
	if err := errors.Join(failures...); err != nil {
		return result, err
	}

	var latencies []time.Duration
	for _, c := range clients {
		latencies = append(latencies, c.latencies...)
		result.Failed += c.failed
	}
	slices.Sort(latencies)
	result.Requests = len(latencies)
	result.P50, result.P99 = Quantile(latencies, 0.50), Quantile(latencies, 0.99)
	return result, nil
}

// Quantile returns the q-quantile of sorted values by the nearest-rank method, and zero for none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

type client struct {
	conn      net.Conn
	reader    *bufio.Reader
	request   []byte
	latencies []time.Duration
	failed    int
}

func dial(ctx context.Context, o Options) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return &client{
		conn:      conn,
		reader:    bufio.NewReaderSize(conn, 4096),
		request:   fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n", o.Path, o.Addr),
		latencies: make([]time.Duration, 0, 1<<14),
	}, nil
}

func (c *client) loop(deadline time.Time) error {
	for begin := time.Now(); begin.Before(deadline); {
		if _, err := c.conn.Write(c.request); err != nil {
			return fmt.Errorf("send a request: %w", err)
		}
		status, err := c.answer()
		if err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		if status != 200 {
			c.failed++
		}
		end := time.Now()
		c.latencies = append(c.latencies, end.Sub(begin))
		begin = end
	}
	return nil
}

var (
	lengthHeader = []byte("content-length:")
	errMalformed = errors.New("malformed answer")
	errNoLength  = errors.New("answer without Content-Length")
)

// answer reads one answer and returns its status.
func (c *client) answer() (int, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("%w: %q", errMalformed, line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, fmt.Errorf("%w: %q", errMalformed, line)
	}
	length := -1
	for {
		line, err = c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if len(line) > len(lengthHeader) && bytes.EqualFold(line[:len(lengthHeader)], lengthHeader) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthHeader):]))); err != nil {
				return 0, fmt.Errorf("%w: %q", errMalformed, line)
			}
		}
	}
	if length < 0 {
		return 0, errNoLength
	}
	_, err = c.reader.Discard(length)
	return status, err
}
