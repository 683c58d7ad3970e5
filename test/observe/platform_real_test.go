//go:build real

package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/local/watch"
	"github.com/trellis-mesh/trellis/internal/spec"
	"github.com/trellis-mesh/trellis/test/market"
)

// watched is the running shop, with what watches it.
type watched struct {
	*local.Platform
	model  *spec.Model
	shop   *market.Shop
	login  *market.Login
	flags  string // the file of flags of orders
	logs   *lines
	sent   *wire
	hidden *secrets

	ports                                  watch.Ports
	prometheus, alertmanager, jaeger, loki server
}

// lines are what the services have written.
type lines struct {
	hidden *secrets

	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.hidden.search("stdout", p)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// all gives the lines so far.
func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

// start runs the shop and what watches it. A second is here what a quarter of a minute is in a cluster, so that little time is enough to
// see much.
func start(t *testing.T) *watched {
	t.Helper()
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{model: model, flags: filepath.Join(t.TempDir(), "flags.yaml"), hidden: newSecrets("not a secret: play")}
	w.logs = &lines{hidden: w.hidden}
	w.fulfil(t, nil)
	w.startCollectors(t)
	w.sent = newWire(t, w.ports.OTLP, w.hidden)
	w.Platform, err = local.Start(t.Context(), local.Options{
		Root: root, Model: model, FreePorts: true, ReadyTimeout: 3 * time.Minute, DataDir: t.TempDir(), Logs: w.logs, Log: local.LogJSON,
		Env: map[string]string{"APP_TELEMETRY_ENDPOINT": w.sent.URL, "APP_TELEMETRY_RATIO": "1"},
		ServiceEnv: map[string]map[string]string{
			"orders":  {"APP_FLAGS_FILE": w.flags},
			"gateway": {"APP_RATE_LIMIT_LIMIT": "100000", "APP_RATE_LIMIT_BURST": "100000"},
		},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(w.logs.all(), "\n"))
	}
	t.Cleanup(func() {
		if err := w.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	w.prometheus = w.startPrometheus(t, everySecond(t))
	if w.shop, err = market.Of(t.Context(), w.Platform); err != nil {
		t.Fatal(err)
	}
	w.login = w.shop.Program(w.shop.HTTP.Transport)
	return w
}

// fulfil writes how the orders of customers are fulfilled.
func (w *watched) fulfil(t *testing.T, ways map[string]string) {
	t.Helper()
	file := map[string]any{"flags": map[string]any{"orders.fulfilment": map[string]any{"value": "choreography", "keys": ways}}}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	next := w.flags + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, w.flags); err != nil {
		t.Fatal(err)
	}
}

// call sends a request with a token that allows all, and gives the answer's status and body.
func (w *watched) call(ctx context.Context, method, address string, header http.Header, body string) (int, []byte, error) {
	token, err := w.login.Token(ctx)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := w.shop.HTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// fault has a service fail or delay a share of its requests, as chassis/fault reads it; "" ends that.
func (w *watched) fault(t *testing.T, service, rule string) {
	t.Helper()
	method := http.MethodPut
	if rule == "" {
		method = http.MethodDelete
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.Service(service).Admin+"/fault", strings.NewReader(rule))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("fault of %s: %s: %s", service, resp.Status, text)
	}
}

// ask decodes what a server answers to a GET.
func ask(ctx context.Context, address string, query url.Values, answer any) error {
	if query != nil {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", address, resp.Status, raw)
	}
	return json.Unmarshal(raw, answer)
}

// waitFor asks again until there is no complaint, or fails with the last one.
func waitFor(t *testing.T, within time.Duration, what string, complaint func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := complaint(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil { // else it says no more than that time is up
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, within, last)
		}
	}
}

// show prints a table both into the log of the test and where everybody sees it, since a test that passes is silent.
func show(t *testing.T, title, table string) {
	t.Helper()
	text := title + "\n" + strings.TrimRight(table, "\n")
	t.Log("\n" + text)
	fmt.Println(text + "\n")
}
