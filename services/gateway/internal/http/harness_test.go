package http

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/flag"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
	"github.com/trellis-mesh/trellis/services/gateway/api"
	"github.com/trellis-mesh/trellis/services/gateway/internal/proxy"
	"github.com/trellis-mesh/trellis/services/gateway/internal/strangler"
	"github.com/trellis-mesh/trellis/services/gateway/internal/version"
	legacyapi "github.com/trellis-mesh/trellis/services/legacy/api"
	"github.com/trellis-mesh/trellis/services/legacy/legacytest"
)

var callees = []string{"catalog", "users", "orders", "bff-web", "bff-mobile", "legacy"}

// callee stands for a service behind the gateway. It notes what it is asked and answers as the test says.
type callee struct {
	*httptest.Server

	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []request
}

type request struct {
	method, url, host, body string
	header                  http.Header
}

func newCallee(t *testing.T, answer http.HandlerFunc) *callee {
	t.Helper()
	c := &callee{answer: answer}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		c.mu.Lock()
		c.asked = append(c.asked, request{r.Method, r.URL.RequestURI(), r.Host, string(body), r.Header.Clone()})
		answer := c.answer
		c.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *callee) answers(answer http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *callee) requests() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]request(nil), c.asked...)
}

// says answers with a status and a body.
func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const plain = "application/json"

// buffer is a log that may be written and read at once.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// setup is what a test changes of the gateway.
type setup struct {
	client     httpclient.Options
	proxies    []string
	shadow     strangler.ShadowOptions
	middleware []gin.HandlerFunc
}

// gateway is the API as the service has it, contract validation included, before callees over the network. A bearer token is the
// name of whoever has it.
type gateway struct {
	*httptest.Server
	callees map[string]*callee
	tel     *telemetry.Telemetry
	log     buffer
	flags   *flag.Flags
	file    string
	shadow  *strangler.Shadow
}

func newGateway(t *testing.T, change ...func(*setup)) *gateway {
	t.Helper()
	with := setup{client: httpclient.Options{Timeout: 5 * time.Second, Attempts: 1}}
	for _, c := range change {
		c(&with)
	}
	g := &gateway{callees: map[string]*callee{}, file: filepath.Join(t.TempDir(), "flags.yaml")}
	var err error
	if g.tel, err = telemetry.New(t.Context(), telemetry.Options{Service: "gateway", Output: &g.log, Level: slog.LevelDebug}); err != nil {
		t.Fatal(err)
	}
	clients := map[string]*httpclient.Client{}
	for _, name := range callees {
		g.callees[name] = newCallee(t, says(http.StatusOK, plain, `{"from":"`+name+`"}`))
		o := with.client
		o.Name, o.URL, o.Forward, o.Registerer, o.Log = name, g.callees[name].URL, true, g.tel.Registry, g.tel.Log
		o.Tracer, o.Propagator = g.tel.Tracing, g.tel.Propagator
		if clients[name], err = httpclient.New(o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(clients[name].HTTP.CloseIdleConnections)
	}
	passing, err := proxy.New(func(callee string) (*httpclient.Client, error) { return clients[callee], nil })
	if err != nil {
		t.Fatal(err)
	}
	monolith, err := legacyapi.NewClientWithResponses(clients["legacy"].URL, legacyapi.WithHTTPClient(clients["legacy"].HTTP))
	if err != nil {
		t.Fatal(err)
	}
	g.openFlags(t)
	with.shadow.Log, with.shadow.Registry = g.tel.Log, g.tel.Registry
	if g.shadow, err = strangler.NewShadow(with.shadow); err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{
		Contract: api.Contract, Authorize: byName, Telemetry: g.tel, TrustedProxies: with.proxies,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Router().Use(append(with.middleware, version.Middleware(proxy.Enveloped))...)
	api.Register(server.Router(), New(Deps{Proxy: passing, Strangler: strangler.New(strangler.Deps{
		Proxy: passing, Monolith: monolith, Flags: g.flags, Shadow: g.shadow,
	})}))
	g.Server = httptest.NewServer(server.Handler())
	t.Cleanup(g.Close)
	return g
}

// monolith has the real one answer, on a database of the test's own.
func (g *gateway) monolith(t *testing.T) {
	t.Helper()
	g.callees["legacy"].answers(legacytest.New(t).ServeHTTP)
}

func (g *gateway) openFlags(t *testing.T) {
	t.Helper()
	g.flip(t, "{value: new}")
	var err error
	if g.flags, err = flag.Open(flag.Options{File: g.file, Log: g.tel.Log, Poll: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = g.flags.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// flip writes the flag of the products into the file that the gateway follows.
func (g *gateway) flip(t *testing.T, definition string) {
	t.Helper()
	next := g.file + ".next"
	if err := os.WriteFile(next, []byte("flags:\n  gateway.products: "+definition+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, g.file); err != nil {
		t.Fatal(err)
	}
}

// flipped flips the flag and waits until it is in force for somebody.
func (g *gateway) flipped(t *testing.T, definition, value string) {
	t.Helper()
	g.flip(t, definition)
	eventually(t, func() bool { return g.flags.String(t.Context(), strangler.Flag("products"), "none", "x") == value })
}

// byName authorizes whoever has a token.
func byName(ctx context.Context, h http.Header, alternatives [][]string) (context.Context, error) {
	name, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, problem.Unauthorized("token_missing", "Send a token.")
	}
	return auth.With(ctx, &auth.Identity{Subject: name, Scopes: alternatives[0]}), nil
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) code(t *testing.T) string {
	t.Helper()
	var told problem.Problem
	if err := json.Unmarshal([]byte(r.body), &told); err != nil || r.header.Get("Content-Type") != problem.ContentType {
		t.Fatalf("%d is no problem, but %s: %s", r.status, r.header.Get("Content-Type"), r.body)
	}
	return told.Code
}

// send sends a request with a token of ada's, and with these headers, each as name and value.
func (g *gateway) send(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	got, err := g.try(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (g *gateway) try(ctx context.Context, method, path, body string, headers ...string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, g.URL+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer ada")
	if body != "" {
		r.Header.Set("Content-Type", plain)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := g.Client().Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

// eventually waits until the condition holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatal("it did not come to that")
		case <-again.C:
		}
	}
}
