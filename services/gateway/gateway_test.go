package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/problem"
)

// edge is what a gateway stands between: the issuer of its tokens, and services that answer anything.
type edge struct {
	issuer  *auth.Issuer
	keys    *httptest.Server
	service *httptest.Server
	asked   atomic.Int64
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{}
	var err error
	if e.issuer, err = auth.NewIssuer(auth.IssuerOptions{Issuer: "https://shop.example", Audience: "shop"}); err != nil {
		t.Fatal(err)
	}
	key, err := auth.NewSigningKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.issuer.Use([]auth.SigningKey{key}); err != nil {
		t.Fatal(err)
	}
	e.keys = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		jwks, _ := e.issuer.JWKS()
		_, _ = w.Write(jwks)
	}))
	t.Cleanup(e.keys.Close)
	e.service = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		e.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(e.service.Close)
	return e
}

func (e *edge) token(t *testing.T, subject string, scopes ...string) string {
	t.Helper()
	token, _, err := e.issuer.Issue(auth.Grant{Subject: subject, Client: "test", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// replica is the whole service, as a process would run it.
type replica struct {
	*chassis.Service
	log *bytes.Buffer
}

// start runs a replica until the test ends.
func (e *edge) start(t *testing.T, redisURL string, environ ...string) *replica {
	t.Helper()
	env := append([]string{
		"APP_HTTP_ADDR=127.0.0.1:0", "APP_ADMIN_ADDR=127.0.0.1:0", "APP_SHUTDOWN_DELAY=0s", "APP_REDIS_URL=" + redisURL,
		"APP_AUTH_ISSUER=https://shop.example", "APP_AUTH_AUDIENCE=shop", "APP_AUTH_JWKS=" + e.keys.URL,
		"APP_RATE_LIMIT_TIMEOUT=10s", // the machine may be busy
	}, environ...)
	for _, call := range spec.Calls {
		env = append(env, "APP_CALLS_"+strings.ToUpper(strings.ReplaceAll(call.Service, "-", "_"))+"_URL="+e.service.URL)
	}
	r := &replica{log: &bytes.Buffer{}}
	started, ended := make(chan *chassis.Service, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		ended <- chassis.Run(ctx, spec, wire, chassis.Options{Environ: env, Stdout: r.log, Started: func(s *chassis.Service) { started <- s }})
	}()
	select {
	case r.Service = <-started:
	case err := <-ended:
		stop()
		t.Fatalf("it did not start: %v", err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s", r.log)
		}
	})
	return r
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) code() string {
	var told problem.Problem
	_ = json.Unmarshal([]byte(r.body), &told) // the code stays empty
	return told.Code
}

// get asks an address, with a token unless it is empty, and with these headers.
func get(t *testing.T, url, token string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return reply{header: http.Header{}}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

func (r *replica) get(t *testing.T, path, token string, headers ...string) reply {
	t.Helper()
	return get(t, "http://"+r.Addr()+path, token, headers...)
}

func TestTheContractsSecurityIsEnforced(t *testing.T) {
	e := newEdge(t)
	r := e.start(t, "redis://"+miniredis.RunT(t).Addr())
	for name, c := range map[string]struct {
		path, token string
		status      int
	}{
		"nobody":             {"/api/users/ada", "", 401},
		"a forged token":     {"/api/users/ada", "x.y.z", 401},
		"another scope":      {"/api/users/ada", e.token(t, "ada", "orders:read"), 403},
		"the scope":          {"/api/users/ada", e.token(t, "ada", "users:read"), 200},
		"an open operation":  {"/api/products", "", 200},
		"another open one":   {"/api/suppliers", "", 502}, // what answers here is no monolith
		"an unknown path":    {"/api/nothing", "", 404},
		"a path of a callee": {"/v1/users/ada", "", 404},
	} {
		if got := r.get(t, c.path, c.token); got.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, c.status)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	e := newEdge(t)
	r := e.start(t, "redis://"+miniredis.RunT(t).Addr())
	if got := r.get(t, "/api/products", "", "X-Long", strings.Repeat("x", 80<<10)); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := e.asked.Load(); n > 0 {
		t.Errorf("the services were asked %d times", n)
	}
}

func TestTheLimitConformsOnMiniredis(t *testing.T) {
	limitConformance(t, func(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() })
}

// limitConformance checks what is promised with any Redis; open gives the URL of an empty one.
func limitConformance(t *testing.T, open func(*testing.T) string) {
	t.Helper()
	t.Run("two replicas let through the limit, and not one more", func(t *testing.T) { exactOverReplicas(t, open(t)) })
	t.Run("principals are told apart, and made-up addresses are not", func(t *testing.T) { toldApart(t, open(t)) })
	t.Run("probes and metrics are not limited", func(t *testing.T) { probesPass(t, open(t)) })
}

func exactOverReplicas(t *testing.T, redisURL string) {
	const limit, requests = 25, 80
	e := newEdge(t)
	replicas := []*replica{}
	for range 2 {
		replicas = append(replicas, e.start(t, redisURL, "APP_RATE_LIMIT_LIMIT="+strconv.Itoa(limit)))
	}
	token := e.token(t, "ada", "users:read")
	replies := make([]reply, requests)
	var group sync.WaitGroup
	for i := range requests {
		group.Go(func() { replies[i] = replicas[i%2].get(t, "/api/users/ada", token) })
	}
	group.Wait()
	var remaining []int
	for _, got := range replies {
		left, err := strconv.Atoi(got.header.Get("X-RateLimit-Remaining"))
		reset, resetErr := strconv.Atoi(got.header.Get("X-RateLimit-Reset"))
		if err != nil || resetErr != nil || got.header.Get("X-RateLimit-Limit") != strconv.Itoa(limit) || reset < 1 || reset > 60 {
			t.Fatalf("%d %s: %v", got.status, got.body, got.header)
		}
		if got.status == http.StatusOK {
			remaining = append(remaining, left)
			continue
		}
		wait, err := strconv.Atoi(got.header.Get("Retry-After"))
		if got.status != http.StatusTooManyRequests || got.code() != "rate_limited" || left != 0 || err != nil || wait < 1 || wait > 60 {
			t.Errorf("%d %s: %v", got.status, got.body, got.header)
		}
	}
	slices.Sort(remaining)
	for i, left := range remaining {
		if left != i {
			t.Errorf("the answers say that %v are left", remaining)
			break
		}
	}
	if len(remaining) != limit || e.asked.Load() != limit {
		t.Errorf("%d requests were let through, and users was asked %d times, want %d", len(remaining), e.asked.Load(), limit)
	}
}

func toldApart(t *testing.T, redisURL string) {
	e := newEdge(t)
	open := e.start(t, redisURL, "APP_RATE_LIMIT_LIMIT=2")
	for i := range 3 {
		want := []int{200, 200, 429}[i]
		if got := open.get(t, "/api/users/ada", e.token(t, "ada", "users:read")); got.status != want {
			t.Errorf("ada's request %d: %d, want %d", i+1, got.status, want)
		}
		if got := open.get(t, "/api/users/bob", e.token(t, "bob", "users:read")); got.status != want {
			t.Errorf("bob's request %d: %d, want %d", i+1, got.status, want)
		}
		made := fmt.Sprintf("198.51.100.%d", i)
		got := open.get(t, "/api/products", "", "X-Forwarded-For", made, "X-Real-Ip", made, "Forwarded", "for="+made)
		if got.status != want {
			t.Errorf("request %d from a made-up address: %d, want %d", i+1, got.status, want)
		}
	}
	// Behind a proxy that is trusted, the entry counts that the proxy added, and not what the client put before it.
	behind := e.start(t, redisURL, "APP_RATE_LIMIT_LIMIT=2", "APP_HTTP_PROXIES=127.0.0.1")
	for i := range 3 {
		for _, address := range []string{"203.0.113.7", "203.0.113.8"} {
			got := behind.get(t, "/api/products", "", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d, %s", i, address))
			if want := []int{200, 200, 429}[i]; got.status != want {
				t.Errorf("request %d from %s: %d, want %d", i+1, address, got.status, want)
			}
		}
	}
}

func probesPass(t *testing.T, redisURL string) {
	e := newEdge(t)
	r := e.start(t, redisURL, "APP_RATE_LIMIT_LIMIT=1", "APP_RATE_LIMIT_BURST=1", "APP_RATE_LIMIT_RATE=0.001")
	r.get(t, "/api/products", "")
	if got := r.get(t, "/api/products", ""); got.status != http.StatusTooManyRequests {
		t.Errorf("%d %s", got.status, got.body)
	}
	for range 5 {
		for _, url := range []string{"http://" + r.Addr() + "/health/live", "http://" + r.Addr() + "/health/ready", "http://" + r.AdminAddr() + "/metrics"} {
			if got := get(t, url, ""); got.status != http.StatusOK {
				t.Errorf("%s: %d %s", url, got.status, got.body)
			}
		}
	}
}

// A client that goes on asking while it is refused is let in as soon as one that waited.
func TestARefusedRequestDoesNotCount(t *testing.T) {
	e := newEdge(t)
	server := miniredis.RunT(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	server.SetTime(now)
	r := e.start(t, "redis://"+server.Addr(), "APP_RATE_LIMIT_LIMIT=3", "APP_RATE_LIMIT_WINDOW=10s")
	ask := func(want int, retryAfter string) {
		t.Helper()
		got := r.get(t, "/api/products", "")
		if got.status != want || got.header.Get("Retry-After") != retryAfter {
			t.Errorf("at %s: %d, Retry-After %q, want %d, %q", now.Format(time.TimeOnly), got.status, got.header.Get("Retry-After"), want, retryAfter)
		}
	}
	for range 3 {
		ask(200, "")
	}
	for second := range 10 {
		ask(429, strconv.Itoa(10-second))
		now = now.Add(time.Second)
		server.SetTime(now)
	}
	for range 3 {
		ask(200, "")
	}
	ask(429, "10")
}

func TestWithoutRedisAReplicaProtectsItself(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		want    []int
	}{
		"open":   {nil, []int{200, 200, 200, 429, 429}},
		"closed": {[]string{"APP_RATE_LIMIT_FAIL_CLOSED=true"}, []int{503, 503, 503, 429, 429}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			server := miniredis.RunT(t)
			server.SetError("LOADING Redis is loading the dataset in memory")
			r := e.start(t, "redis://"+server.Addr(), append(c.environ, "APP_RATE_LIMIT_BURST=3", "APP_RATE_LIMIT_RATE=0.001")...)
			var got []int
			for range c.want {
				got = append(got, r.get(t, "/api/products", "").status)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestWrongSettingsKeepItFromStarting(t *testing.T) {
	for _, variable := range []string{
		"APP_RATE_LIMIT_LIMIT=0", "APP_RATE_LIMIT_WINDOW=1ms", "APP_RATE_LIMIT_BURST=-1", "APP_RATE_LIMIT_RATE=0", "APP_SHADOW_CONCURRENCY=0",
		"APP_SHADOW_TIMEOUT=1m", "APP_FLAGS_FILE=/nowhere/flags.yaml",
	} {
		env := []string{"APP_HTTP_ADDR=127.0.0.1:0", "APP_ADMIN_ADDR=127.0.0.1:0", "APP_SHUTDOWN_DELAY=0s", "APP_REDIS_URL=redis://127.0.0.1:1", variable}
		for _, call := range spec.Calls {
			env = append(env, "APP_CALLS_"+strings.ToUpper(strings.ReplaceAll(call.Service, "-", "_"))+"_URL=http://127.0.0.1:1")
		}
		name, _, _ := strings.Cut(variable, "=")
		err := chassis.Run(t.Context(), spec, wire, chassis.Options{Environ: env})
		if key := strings.ToLower(name[strings.LastIndex(name, "_")+1:]); err == nil || !strings.Contains(strings.ToLower(err.Error()), key) {
			t.Errorf("%s: %v", variable, err)
		}
	}
}

func TestTheFlagsFileIsFollowed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.yaml")
	flip := func(value string) {
		t.Helper()
		if err := os.WriteFile(file+".next", []byte("flags: {gateway.products: {value: "+value+"}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".next", file); err != nil {
			t.Fatal(err)
		}
	}
	flip("new")
	e := newEdge(t)
	r := e.start(t, "redis://"+miniredis.RunT(t).Addr(), "APP_FLAGS_FILE="+file, "APP_RATE_LIMIT_LIMIT=100000", "APP_RATE_LIMIT_BURST=100000")
	until := func(status int) { // what answers here is the catalog for all that is passed on, and no monolith
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for r.get(t, "/api/products", "").status != status {
			if time.Now().After(deadline) {
				t.Fatal("the flag did not take effect")
			}
		}
	}
	until(200)
	flip("legacy")
	until(502)
	flip("new")
	until(200)
}
