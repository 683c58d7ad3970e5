//go:build real

package watch_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local/watch"
	"github.com/trellis-mesh/trellis/internal/port"
	"github.com/trellis-mesh/trellis/test/real"
)

// TestPartsRunOfTheClustersConfiguration starts each, sends nothing, and sees that Prometheus reaches all of them.
func TestPartsRunOfTheClustersConfiguration(t *testing.T) {
	free, err := port.Free(11)
	if err != nil {
		t.Fatal(err)
	}
	p := watch.Ports{Prometheus: free[0], Alertmanager: free[1], Jaeger: free[2], Loki: free[3], OTLP: free[4], Inner: [6]int(free[5:])}
	parts, missing, err := watch.Make(watch.Options{Root: root, Dir: t.TempDir(), Services: map[string]string{"orders": "127.0.0.1:1"}, Versions: map[string]string{"jaeger": "2.13.0", "loki": "3.7.8"}, Ports: p})
	if err != nil || len(missing) > 0 {
		t.Fatalf("%v, missing %v: run .ci/setup", err, missing)
	}
	for _, part := range parts {
		real.Run(t, real.Program{Name: part.Name, Path: part.Binary, Args: part.Args, Env: part.Env, Ready: part.Ready})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	await(ctx, t, parts[0].URL+"/api/v1/query?query=sum(up)", func(body []byte) bool {
		var answer struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		return json.Unmarshal(body, &answer) == nil && len(answer.Data.Result) == 1 && answer.Data.Result[0].Value[1] == "5" // Jaeger has two
	})
}

// await asks until the answer is 200 and good.
func await(ctx context.Context, t *testing.T, url string, good func([]byte) bool) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	last := "no answer"
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK && good(body) {
				return
			}
			last = resp.Status + " " + string(body)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %s", url, last)
		case <-tick.C:
		}
	}
}
