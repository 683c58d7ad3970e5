package game

import (
	"cmp"
	"context"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Tally counts what came of the requests, by action.
type Tally struct {
	mu      sync.Mutex
	began   time.Time
	actions map[Action]*count
	faults  []string // the first ones, in words
}

const mostFaults = 10

type count struct {
	ok, refused, limited, failed, lost int
	statuses                           map[int]int
	times                              histogram
}

// NewTally begins to count.
func NewTally() *Tally { return &Tally{began: time.Now(), actions: map[Action]*count{}} }

// Line is what came of an action.
type Line struct {
	Action    Action  `json:"action"`
	Count     int     `json:"count"`
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50Milliseconds"`
	P99       float64 `json:"p99Milliseconds"`
	OK        int     `json:"ok"`         // 2xx
	Refused   int     `json:"refused"`    // 4xx
	Limited   int     `json:"tooOften"`   // 429, after which it was waited
	Failed    int     `json:"failed"`     // 5xx
	Lost      int     `json:"unanswered"` // no answer at all
	// Statuses are how often each was answered; 0 is no answer.
	Statuses map[int]int `json:"statuses"`
}

// note counts an answer; status 0 is none.
func (t *Tally) note(action Action, status int, took time.Duration, fault string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.actions[action]
	if c == nil {
		c = &count{statuses: map[int]int{}}
		t.actions[action] = c
	}
	if fault != "" && len(t.faults) < mostFaults {
		t.faults = append(t.faults, string(action)+": "+fault)
	}
	c.statuses[status]++
	switch {
	case status == 0:
		c.lost++
	case status == http.StatusTooManyRequests:
		c.limited++
		return // how quick a refusal is says nothing of the action
	case status >= 500:
		c.failed++
	case status >= 400:
		c.refused++
	default:
		c.ok++
	}
	c.times.add(took)
}

// Lines are what came of all actions so far, sorted by their names.
func (t *Tally) Lines() []Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	seconds := max(time.Since(t.began).Seconds(), 0.001)
	var lines []Line
	for _, action := range slices.SortedFunc(maps.Keys(t.actions), cmp.Compare[Action]) {
		c := t.actions[action]
		n := c.ok + c.refused + c.failed + c.lost
		lines = append(lines, Line{
			Action: action, Count: n, PerSecond: float64(n) / seconds, P50: c.times.quantile(0.5), P99: c.times.quantile(0.99),
			OK: c.ok, Refused: c.refused, Limited: c.limited, Failed: c.failed, Lost: c.lost, Statuses: maps.Clone(c.statuses),
		})
	}
	return lines
}

// Faults are the first answers that were 5xx, and requests that got none, in words.
func (t *Tally) Faults() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.faults)
}

// histogram counts durations by the power of 1.1 milliseconds that they are below; it is right to a tenth.
type histogram struct {
	buckets [140]int
	n       int
}

const growth = 1.1

func (h *histogram) add(d time.Duration) {
	ms := max(float64(d)/float64(time.Millisecond), 0.1)
	bucket := int(math.Ceil(math.Log(ms*10) / math.Log(growth)))
	h.buckets[min(bucket, len(h.buckets)-1)]++
	h.n++
}

// quantile gives milliseconds, 0 when nothing was counted.
func (h *histogram) quantile(q float64) float64 {
	rank := int(math.Ceil(q * float64(h.n)))
	seen := 0
	for i, n := range h.buckets {
		if seen += n; seen >= rank && n > 0 {
			return math.Pow(growth, float64(i)) / 10
		}
	}
	return 0
}

type actionKey struct{}

// doing names the action that requests of a context are part of.
func doing(ctx context.Context, action Action) context.Context {
	return context.WithValue(ctx, actionKey{}, action)
}

// meter counts the requests of actions; those of none are nobody's business.
type meter struct {
	next  http.RoundTripper
	tally *Tally
}

// RoundTrip implements http.RoundTripper.
func (m meter) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := m.next.RoundTrip(r)
	action, ok := r.Context().Value(actionKey{}).(Action)
	if !ok {
		return response, err
	}
	took := time.Since(began)
	switch {
	case err != nil && r.Context().Err() != nil: // whoever asked went away
	case err != nil:
		m.tally.note(action, 0, took, r.Method+" "+r.URL.Path+": "+err.Error())
	case response.StatusCode >= 500:
		m.tally.note(action, response.StatusCode, took, r.Method+" "+r.URL.Path+": "+response.Status)
	default:
		m.tally.note(action, response.StatusCode, took, "")
	}
	return response, err
}

// during counts requests as part of an action, whatever they are sent for.
type during struct {
	action Action
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d during) RoundTrip(r *http.Request) (*http.Response, error) {
	return d.next.RoundTrip(r.WithContext(doing(r.Context(), d.action)))
}
