package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const s = time.Second

func TestRetriesOnlyWhatIsSafeAndTransient(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		statuses     []int
		want, tries  int
	}{
		{"no need", "GET", []int{200}, 200, 1},
		{"unavailable", "GET", []int{503, 200}, 200, 2},
		{"gateway errors", "GET", []int{502, 504, 200}, 200, 3},
		{"too many requests", "GET", []int{429, 200}, 200, 2},
		{"last answer is given", "GET", []int{503, 503, 502}, 502, 3},
		{"internal error", "GET", []int{500}, 500, 1},
		{"not found", "GET", []int{404}, 404, 1},
		{"PUT", "PUT", []int{503, 200}, 200, 2},
		{"DELETE", "DELETE", []int{503, 200}, 200, 2},
		{"POST never", "POST", []int{503}, 503, 1},
		{"PATCH never", "PATCH", []int{503}, 503, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{statuses: tc.statuses}
				status, err := call(t.Context(), client(t, Options{Transport: a}), tc.method, nil)
				if err != nil || status != tc.want || len(a.at) != tc.tries {
					t.Errorf("%d after %d tries, %v; want %d after %d", status, len(a.at), err, tc.want, tc.tries)
				}
				for i, b := range a.bodies {
					if !b.closed || b.Len() > 0 {
						t.Errorf("answer %d was left open or unread", i)
					}
				}
			})
		})
	}
}

func TestRetriesConnectionErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		tries int
	}{
		"refused":              {syscall.ECONNREFUSED, 3},
		"reset":                {syscall.ECONNRESET, 3},
		"closed":               {io.EOF, 3},
		"untrusted for good":   {&tls.CertificateVerificationError{Err: errors.New("expired")}, 1},
		"timed out at dialing": {slow{}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				c := client(t, Options{Timeout: time.Minute, Transport: callee(func(*http.Request) (*http.Response, error) {
					tries++
					return nil, tc.err
				})})
				if _, err := get(t, c); !errors.Is(err, tc.err) || tries != tc.tries {
					t.Errorf("%v after %d tries, want %v after %d", err, tries, tc.err, tc.tries)
				}
			})
		})
	}
}

func TestMeshRetriesInsteadOfTheClient(t *testing.T) {
	a := &answers{statuses: []int{503, 200}}
	status, err := get(t, client(t, Options{Transport: a, Mesh: true}))
	if status != 503 || err != nil || len(a.at) != 1 {
		t.Errorf("%d after %d tries, %v; want the 503 of the only one", status, len(a.at), err)
	}
}

func TestBackoffDoublesUpToItsCap(t *testing.T) {
	for name, tc := range map[string]struct {
		jitter float64
		want   []time.Duration
	}{
		"most":  {1, []time.Duration{0, 1 * s, 3 * s, 7 * s, 15 * s, 31 * s, 61 * s, 91 * s}},
		"least": {0.5, []time.Duration{0, s / 2, 3 * s / 2, 7 * s / 2, 15 * s / 2, 31 * s / 2, 61 * s / 2, 91 * s / 2}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{statuses: []int{503}}
				c := client(t, Options{Timeout: time.Hour, Attempts: 8, Transport: a,
					Backoff: Backoff{Jitter: func() float64 { return tc.jitter }}})
				if _, err := get(t, c); err != nil {
					t.Fatal(err)
				}
				diff(t, "times of the attempts", a.at, tc.want)
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	in7s := func() string { return time.Now().Add(7 * s).UTC().Format(http.TimeFormat) }
	for name, tc := range map[string]struct {
		value func() string
		want  []time.Duration
	}{
		"seconds":                  {text("5"), []time.Duration{0, 5 * s}},
		"date":                     {in7s, []time.Duration{0, 7 * s}},
		"sooner than the backoff":  {text("0"), []time.Duration{0, 1 * s}},
		"negative":                 {text("-3"), []time.Duration{0, 1 * s}},
		"nonsense":                 {text("soon"), []time.Duration{0, 1 * s}},
		"later than the deadline":  {text("60"), []time.Duration{0}},
		"larger than any duration": {text("99999999999999"), []time.Duration{0, 1 * s}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{statuses: []int{429}, header: http.Header{"Retry-After": {tc.value()}}}
				c := client(t, Options{Timeout: 30 * s, Attempts: 2, Transport: a})
				if status, err := get(t, c); status != 429 || err != nil {
					t.Errorf("%d, %v", status, err)
				}
				diff(t, "times of the attempts", a.at, tc.want)
			})
		})
	}
}

func text(s string) func() string { return func() string { return s } }

// With 800 ms for two tries of 300 ms, a wait of a second would mean no second try at all.
func TestWaitsLeaveRoomForTheDeclaredAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		c := client(t, Options{Timeout: 800 * time.Millisecond, Attempts: 2, PerTry: 300 * time.Millisecond,
			Transport: callee(func(r *http.Request) (*http.Response, error) {
				at = append(at, time.Since(start))
				return hung(r)
			})})
		_, err := get(t, c)
		diff(t, "times of the attempts", at, []time.Duration{0, 500 * time.Millisecond})
		if took := time.Since(start); took != 800*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v, want a timeout after 800ms", took, err)
		}
	})
}

func TestDefaultsLeaveRoomForThreeAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{statuses: []int{503}}
		if _, err := get(t, client(t, Options{Transport: a})); err != nil {
			t.Fatal(err)
		}
		diff(t, "times of the attempts", a.at, []time.Duration{0, 750 * time.Millisecond, 1875 * time.Millisecond})
	})
}

func TestCallerGoingAwayEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{statuses: []int{503}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(s/2, cancel)
		start := time.Now()
		_, err := call(ctx, client(t, Options{Transport: a}), http.MethodGet, nil)
		if took := time.Since(start); took != s/2 || !errors.Is(err, context.Canceled) {
			t.Errorf("after %v: %v, want the cancellation at once", took, err)
		}
	})
}

func TestRequestBodyIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{statuses: []int{503, 503, 200}}
		status, err := call(t.Context(), client(t, Options{Transport: a, Timeout: 9 * s}), http.MethodPut, bytes.NewReader([]byte("stock")))
		if status != 200 || err != nil {
			t.Errorf("%d, %v", status, err)
		}
		diff(t, "bodies", a.sent, []string{"stock", "stock", "stock"})
	})
}

func TestBodyThatCannotBeRewoundIsSentOnce(t *testing.T) {
	a := &answers{statuses: []int{503}}
	status, err := call(t.Context(), client(t, Options{Transport: a}), http.MethodPut, io.MultiReader(strings.NewReader("stock")))
	if status != 503 || err != nil || len(a.at) != 1 {
		t.Errorf("%d after %d tries, %v; want the 503 of the only one", status, len(a.at), err)
	}
}

// A failed attempt whose body never ends must not hold up the next one.
func TestStalledAnswerIsDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		c := client(t, Options{Timeout: 5 * s, Transport: callee(func(r *http.Request) (*http.Response, error) {
			if !first {
				return answer(r, 200, ""), nil
			}
			first = false
			resp := answer(r, 503, "")
			resp.Body = newPipe()
			return resp, nil
		})})
		start := time.Now()
		status, err := get(t, c)
		if took := time.Since(start); status != 200 || err != nil || took != 1100*time.Millisecond {
			t.Errorf("%d, %v after %v; want 200 after 100ms of reading and 1s of waiting", status, err, took)
		}
	})
}

func newPipe() io.ReadCloser {
	r, _ := io.Pipe()
	return r
}
