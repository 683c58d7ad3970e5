package game

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

// transport answers as the test says.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestTheTallyCountsWhatComesOfAnAction(t *testing.T) {
	tally, status := NewTally(), 0
	m := meter{tally: tally, next: transport(func(r *http.Request) (*http.Response, error) {
		if status == 0 {
			return nil, errors.New("connection refused")
		}
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: http.NoBody, Request: r}, nil
	})}
	send := func(ctx context.Context) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shop/api/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := m.RoundTrip(r); err == nil {
			_ = response.Body.Close()
		}
	}
	for _, status = range []int{200, 201, 404, 429, 500, 503, 0} {
		send(doing(t.Context(), Order))
	}
	status = 500
	send(t.Context()) // of no action
	gone, cancel := context.WithCancel(doing(t.Context(), Browse))
	cancel()
	status = 0
	send(gone) // of somebody who has left
	lines := tally.Lines()
	if len(lines) != 1 {
		t.Fatalf("lines %+v", lines)
	}
	l := lines[0]
	if l.Action != Order || l.Count != 6 || l.OK != 2 || l.Refused != 1 || l.Limited != 1 || l.Failed != 2 || l.Lost != 1 || l.P50 <= 0 {
		t.Errorf("line %+v", l)
	}
	if faults := tally.Faults(); len(faults) != 3 || !strings.Contains(faults[0], "order: GET /api/orders: Internal Server Error") {
		t.Errorf("faults %q", faults)
	}
}

func TestTheVerdictIsAboutFaultsAndOpenOrders(t *testing.T) {
	for name, test := range map[string]struct {
		result Result
		bad    bool
	}{
		"all went well":    {Result{Actions: []Line{{OK: 5, Refused: 2, Limited: 3}}, Orders: Outcome{Placed: 2}}, false},
		"a 5xx":            {Result{Actions: []Line{{OK: 5}, {Failed: 1}}}, true},
		"no answer":        {Result{Actions: []Line{{Lost: 1}}}, true},
		"an order is open": {Result{Orders: Outcome{Placed: 2, Settling: 1}}, true},
	} {
		if err := test.result.Verdict(); (err != nil) != test.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQuantilesAreRightToATenth(t *testing.T) {
	var h histogram
	if got := h.quantile(0.99); got != 0 {
		t.Errorf("nothing was counted, and takes %v", got)
	}
	for ms := 1; ms <= 1000; ms++ {
		h.add(time.Duration(ms) * time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 500, 0.99: 990, 1: 1000, 0.001: 1} {
		if got := h.quantile(q); math.Abs(got-want) > want/10+0.1 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
}
