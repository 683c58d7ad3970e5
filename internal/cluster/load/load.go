// Package load sends requests at a rate and counts what comes back, to show whether a change that is made meanwhile fails any.
//
//	run := load.Start(ctx, client, load.Plan{Requests: requests, Rate: 100})
//	…
//	result := run.Stop()
//
// It is not a benchmark: the rate is one that leaves the machine idle, and what counts is whether every request is answered.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Request is one to send.
type Request struct {
	Name   string            `json:"name"` // what it is counted under
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}

// Answer is what came of a request.
type Answer struct {
	Status int           `json:"status"` // 0: none
	Error  string        `json:"error,omitempty"`
	Header http.Header   `json:"header,omitempty"`
	Body   string        `json:"body,omitempty"` // at most its first 4 KiB
	Took   time.Duration `json:"took"`
}

// OK reports whether the request did what it was sent for.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Send sends a request and reads its answer.
func (r Request) Send(ctx context.Context, client *http.Client) Answer {
	began := time.Now()
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return Answer{Error: err.Error()}
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	if r.Body != "" && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{Error: err.Error(), Took: time.Since(began)}
	}
	defer func() { _ = response.Body.Close() }()
	const most = 4 << 10
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
	}
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: string(body), Took: time.Since(began)}
	if err != nil { // half an answer is none
		a.Status, a.Error = 0, fmt.Sprintf("status %d, then %v", response.StatusCode, err)
	}
	return a
}

// Plan says what is sent, and how.
type Plan struct {
	Requests []Request `json:"requests"` // in turn
	// Rate is how many are sent a second. Default: 50.
	Rate float64 `json:"rate"`
	// Concurrency is how many may be under way at once; when they are, the next waits. Default: 32.
	Concurrency int `json:"concurrency"`
	// Timeout of a request. Default: 20 s.
	Timeout time.Duration `json:"timeout"`
}

// Result is what came of a run.
type Result struct {
	Took   time.Duration     `json:"took"`
	ByName map[string]*Count `json:"byName"`
	// Seconds are the counts of each second of the run.
	Seconds []Second `json:"seconds"`
	// Failures are the first that failed.
	Failures []Failure `json:"failures"`
}

// Count is of requests with one name.
type Count struct {
	Sent     int            `json:"sent"`
	Failed   int            `json:"failed"`
	Statuses map[string]int `json:"statuses"`
	P50      time.Duration  `json:"p50"`
	P99      time.Duration  `json:"p99"`
	Max      time.Duration  `json:"max"`

	took []time.Duration
}

// Second is what was sent in a second, and what of it failed.
type Second struct {
	Sent   int `json:"sent"`
	Failed int `json:"failed"`
}

// Failure is one request that failed.
type Failure struct {
	At     time.Time `json:"at"`
	Name   string    `json:"name"`
	Status int       `json:"status"`
	Text   string    `json:"text"`
}

// Sent is how many requests were sent, of all names.
func (r Result) Sent() (n int) {
	for _, c := range r.ByName {
		n += c.Sent
	}
	return n
}

// Failed is how many failed, of all names.
func (r Result) Failed() (n int) {
	for _, c := range r.ByName {
		n += c.Failed
	}
	return n
}

// Run is load that goes on.
type Run struct {
	stop   context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	began  time.Time
	result Result
}

// Start begins to send. Whoever starts a run stops it.
func Start(ctx context.Context, client *http.Client, p Plan) (*Run, error) {
	if len(p.Requests) == 0 {
		return nil, errors.New("a plan without requests")
	}
	if p.Rate <= 0 {
		p.Rate = 50
	}
	if p.Concurrency <= 0 {
		p.Concurrency = 32
	}
	if p.Timeout <= 0 {
		p.Timeout = 20 * time.Second
	}
	sending, stop := context.WithCancel(ctx)
	r := &Run{stop: stop, done: make(chan struct{}), began: time.Now(), result: Result{ByName: map[string]*Count{}}}
	work := make(chan Request)
	var workers sync.WaitGroup
	for range p.Concurrency {
		workers.Go(func() {
			for request := range work {
				bounded, cancel := context.WithTimeout(ctx, p.Timeout) // one that was sent is waited for, also at the end
				began := time.Now()
				a := request.Send(bounded, client)
				cancel()
				r.count(request.Name, began, a)
			}
		})
	}
	go func() {
		defer close(r.done)
		defer workers.Wait()
		defer close(work)
		ticker := time.NewTicker(time.Duration(float64(time.Second) / p.Rate))
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-sending.Done():
				return
			case <-ticker.C:
			}
			select {
			case <-sending.Done():
				return
			case work <- p.Requests[i%len(p.Requests)]:
			}
		}
	}()
	return r, nil
}

const mostFailures = 20

func (r *Run) count(name string, began time.Time, a Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.result.ByName[name]
	if c == nil {
		c = &Count{Statuses: map[string]int{}}
		r.result.ByName[name] = c
	}
	second := int(began.Sub(r.began) / time.Second)
	for len(r.result.Seconds) <= second {
		r.result.Seconds = append(r.result.Seconds, Second{})
	}
	status := "none"
	if a.Status != 0 {
		status = strconv.Itoa(a.Status)
	}
	c.Sent++
	c.Statuses[status]++
	c.took = append(c.took, a.Took)
	r.result.Seconds[second].Sent++
	if a.OK() {
		return
	}
	c.Failed++
	r.result.Seconds[second].Failed++
	if len(r.result.Failures) < mostFailures {
		text := a.Error
		if text == "" {
			text = a.Body
		}
		r.result.Failures = append(r.result.Failures, Failure{At: began, Name: name, Status: a.Status, Text: text})
	}
}

// Result is what was counted so far.
func (r *Run) Result() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.result
	out.Took = time.Since(r.began)
	out.Seconds, out.Failures = slices.Clone(out.Seconds), slices.Clone(out.Failures)
	out.ByName = map[string]*Count{}
	for name, c := range r.result.ByName {
		copied := *c
		copied.Statuses = map[string]int{}
		for status, n := range c.Statuses {
			copied.Statuses[status] = n
		}
		took := slices.Sorted(slices.Values(c.took))
		at := func(share float64) time.Duration { return took[min(len(took)-1, int(share*float64(len(took))))] }
		copied.P50, copied.P99, copied.Max, copied.took = at(0.5), at(0.99), took[len(took)-1], nil
		out.ByName[name] = &copied
	}
	return out
}

// Stop ends the run, waits for the requests that are under way, and gives what was counted.
func (r *Run) Stop() Result {
	r.stop()
	<-r.done
	return r.Result()
}
