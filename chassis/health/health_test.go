package health_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trellis-mesh/trellis/chassis/health"
)

func ask(t *testing.T, h http.Handler) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	return w.Code, w.Body.String()
}

func up(context.Context) error   { return nil }
func down(context.Context) error { return errors.New("dial postgres://app:hunter2@10.0.0.7") }

func TestReadyAsksEveryDependency(t *testing.T) {
	for name, tt := range map[string]struct {
		checks map[string]health.Check
		status int
		body   string
	}{
		"none":     {nil, 200, `{"status":"UP"}`},
		"up":       {map[string]health.Check{"database": up}, 200, `{"status":"UP","checks":{"database":{"status":"UP"}}}`},
		"one down": {map[string]health.Check{"database": down, "kafka": up}, 503, `{"status":"DOWN","checks":{"database":{"status":"DOWN","reason":"failed"},"kafka":{"status":"UP"}}}`},
		"panic":    {map[string]health.Check{"database": func(context.Context) error { panic("x") }}, 503, `{"status":"DOWN","checks":{"database":{"status":"DOWN","reason":"failed"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			set := health.New(health.Options{})
			for name, check := range tt.checks {
				set.Add(name, check)
			}
			if status, body := ask(t, set.Ready()); status != tt.status || body != tt.body {
				t.Errorf("%d %s\nwant %d %s", status, body, tt.status, tt.body)
			}
			if status, body := ask(t, set.Live()); status != 200 || body != `{"status":"UP"}` {
				t.Errorf("live: %d %s", status, body)
			}
		})
	}
}

func TestDrainingIsNotReadyButAlive(t *testing.T) {
	set := health.New(health.Options{})
	set.Add("database", func(context.Context) error { t.Error("a dependency is asked while draining"); return nil })
	set.SetDraining()
	if status, body := ask(t, set.Ready()); status != 503 || body != `{"status":"DOWN","checks":{"service":{"status":"DOWN","reason":"draining"}}}` {
		t.Error(status, body)
	}
	if status, _ := ask(t, set.Live()); status != 200 {
		t.Error("not alive while draining")
	}
}

func TestChecksRunInParallelWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := health.New(health.Options{Timeout: time.Second})
		slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for _, name := range []string{"a", "b", "c"} {
			set.Add(name, slow)
		}
		begin := time.Now()
		_, body := ask(t, set.Ready())
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v", took)
		}
		if strings.Count(body, "timeout") != 3 {
			t.Error(body)
		}
	})
}

func TestAStuckCheckIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := health.New(health.Options{TTL: -1})
		release, calls := make(chan struct{}), atomic.Int32{}
		set.Add("stuck", func(context.Context) error { calls.Add(1); <-release; return nil }) // does not heed its context
		if _, body := ask(t, set.Ready()); !strings.Contains(body, "timeout") {
			t.Error(body)
		}
		if _, body := ask(t, set.Ready()); !strings.Contains(body, "stuck") || calls.Load() != 1 {
			t.Error(body, calls.Load())
		}
		close(release)
		synctest.Wait()
		if status, body := ask(t, set.Ready()); status != 200 || calls.Load() != 2 {
			t.Error(status, body, calls.Load())
		}
	})
}

func TestManyAskersShareOneRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := health.New(health.Options{})
		var calls atomic.Int32
		set.Add("database", func(context.Context) error {
			calls.Add(1)
			<-time.After(100 * time.Millisecond)
			return nil
		})
		var askers sync.WaitGroup
		for range 50 {
			askers.Go(func() {
				if status, _ := ask(t, set.Ready()); status != 200 {
					t.Error(status)
				}
			})
		}
		askers.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}

func TestResultsAreUsedAgainForTheTTL(t *testing.T) {
	now, calls := time.Unix(0, 0), 0
	set := health.New(health.Options{TTL: time.Second, Now: func() time.Time { return now }})
	set.Add("database", func(context.Context) error { calls++; return nil })
	for _, step := range []struct {
		after time.Duration
		calls int
	}{{0, 1}, {999 * time.Millisecond, 1}, {time.Millisecond, 2}} {
		now = now.Add(step.after)
		ask(t, set.Ready())
		if calls != step.calls {
			t.Errorf("%d calls, want %d", calls, step.calls)
		}
	}
	set.Add("kafka", up)
	if _, body := ask(t, set.Ready()); !strings.Contains(body, "kafka") {
		t.Errorf("a new check waits for the TTL: %s", body)
	}
}

func TestAnAskerWhoLeavesDoesNotEndTheRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := health.New(health.Options{})
		set.Add("database", func(ctx context.Context) error {
			select {
			case <-time.After(500 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if report := set.Report(ctx); report.Status != health.Down {
			t.Error(report)
		}
		if report := set.Report(t.Context()); report.Status != health.Up {
			t.Error(report)
		}
	})
}

func TestTheErrorIsLoggedOnceAndNotShown(t *testing.T) {
	var log bytes.Buffer
	set := health.New(health.Options{TTL: -1, Log: slog.New(slog.NewTextHandler(&log, nil))})
	broken := true
	set.Add("database", func(ctx context.Context) error {
		if broken {
			return down(ctx)
		}
		return nil
	})
	for range 3 {
		if _, body := ask(t, set.Ready()); strings.Contains(body, "10.0.0.7") {
			t.Errorf("shown: %s", body)
		}
	}
	broken = false
	ask(t, set.Ready())
	if got := log.String(); strings.Count(got, "dependency down") != 1 || strings.Count(got, "dependency up") != 1 || !strings.Contains(got, "10.0.0.7") {
		t.Errorf("log %s", got)
	}
}

func TestHeadAnswersWithoutABody(t *testing.T) {
	w := httptest.NewRecorder()
	health.New(health.Options{}).Ready().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", nil))
	if w.Code != 200 || w.Body.Len() != 0 {
		t.Error(w.Code, w.Body)
	}
}
