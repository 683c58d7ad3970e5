package idempotency_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/auth"
	"github.com/trellis-mesh/trellis/chassis/database"
	"github.com/trellis-mesh/trellis/chassis/httpserver"
	"github.com/trellis-mesh/trellis/chassis/idempotency"
	"github.com/trellis-mesh/trellis/chassis/problem"
	"github.com/trellis-mesh/trellis/chassis/telemetry"
)

const contract = `
openapi: 3.0.3
info: {title: shop, version: 1.0.0}
security: [{token: []}]
paths:
  /v1/shops/{shop}/orders:
    post:
      operationId: createOrder
      parameters: [{name: shop, in: path, required: true, schema: {type: string}}]
      requestBody:
        required: true
        content:
          application/json: {schema: {type: object, properties: {name: {type: string}, size: {type: number}}}}
          application/x-www-form-urlencoded: {schema: {type: object, properties: {name: {type: string}}}}
          text/plain: {schema: {type: string}}
      responses: {"201": {description: created}}
  /v1/notes:
    post:
      operationId: createNote
      requestBody:
        content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}
      responses: {"201": {description: created}}
components:
  securitySchemes: {token: {type: http, scheme: bearer}}
`

// handler answers an operation; it may be nil, for a handler that creates an order as it should.
type handler func(s *shop, c *gin.Context) error

// shop is a service with one table, behind the whole HTTP stack.
type shop struct {
	t       testing.TB
	db      *database.DB
	keys    *idempotency.Keys
	server  http.Handler
	metrics *prometheus.Registry
	log     *buffer
	spans   *tracetest.InMemoryExporter
	handle  handler
	called  atomic.Int64
	skew    atomic.Int64 // what the shop's clock is ahead, in nanoseconds
}

// buffer may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
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

// bearer takes the token for the name of whoever sent it.
func bearer(ctx context.Context, h http.Header, _ [][]string) (context.Context, error) {
	return auth.With(ctx, &auth.Identity{Subject: strings.TrimPrefix(h.Get("Authorization"), "Bearer ")}), nil
}

func openShop(t testing.TB, db *database.DB, change ...func(*idempotency.Options)) *shop {
	t.Helper()
	s := &shop{t: t, db: db, metrics: prometheus.NewRegistry(), log: &buffer{}, spans: tracetest.NewInMemoryExporter()}
	if _, err := db.ExecContext(context.Background(), "CREATE TABLE IF NOT EXISTS orders (name TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	opt := idempotency.Options{
		Required: []string{"createOrder"}, Optional: []string{"createNote"}, Registry: s.metrics,
		Log: slog.New(slog.NewTextHandler(s.log, nil)), Now: s.now,
	}
	for _, c := range change {
		c(&opt)
	}
	var err error
	if s.keys, err = idempotency.New(db, opt); err != nil {
		t.Fatal(err)
	}
	tel, err := telemetry.New(context.Background(), telemetry.Options{Service: "shop", Output: s.log, Ratio: 1, Exporter: s.spans})
	if err != nil {
		t.Fatal(err)
	}
	server, err := httpserver.New(httpserver.Options{Contract: []byte(contract), Authorize: bearer, Telemetry: tel})
	if err != nil {
		t.Fatal(err)
	}
	server.Router().Use(s.keys.Middleware)
	serve := func(c *gin.Context) {
		s.called.Add(1)
		act := s.handle
		if act == nil {
			act = create
		}
		if err := act(s, c); err != nil {
			problem.Abort(c, err)
		}
	}
	server.Router().POST("/v1/shops/:shop/orders", serve)
	server.Router().POST("/v1/notes", serve)
	s.server = server.Handler()
	return s
}

func (s *shop) now() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) }

// pass lets time pass for the shop.
func (s *shop) pass(d time.Duration) { s.skew.Add(int64(d)) }

// create is a handler as it should be: effect and answer in one transaction.
func create(s *shop, c *gin.Context) error {
	ctx, answer := c.Request.Context(), created(c)
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := order(ctx, tx, "an order"); err != nil {
			return err
		}
		return idempotency.Complete(ctx, tx, answer)
	})
	if err != nil {
		return err
	}
	return answer(c.Writer)
}

// careless is a handler that forgets Complete.
func careless(s *shop, c *gin.Context) error {
	if err := order(c.Request.Context(), s.db, "an order"); err != nil {
		return err
	}
	return created(c)(c.Writer)
}

func order(ctx context.Context, db bun.IDB, name string) error {
	_, err := db.NewInsert().Table("orders").Model(&map[string]any{"name": name}).Exec(ctx)
	return err
}

// created is an answer like those of generated code. No two requests have the same.
func created(c *gin.Context) func(http.ResponseWriter) error {
	id := telemetry.ContextIDs(c.Request.Context()).Request
	return func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "/v1/orders/"+id)
		w.Header().Set("Set-Cookie", "secret=1")
		w.WriteHeader(http.StatusCreated)
		return json.NewEncoder(w).Encode(map[string]string{"id": id})
	}
}

// orders is how many were created.
func (s *shop) orders(want int64) {
	s.t.Helper()
	n, err := s.db.NewSelect().Table("orders").Count(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	if n != want {
		s.t.Errorf("%d orders were created, want %d", n, want)
	}
}

// request is a POST; what is empty has a default.
type request struct {
	path, body, contentType, key, token string
	header                              http.Header
	ctx                                 context.Context
}

func (s *shop) post(r request) *httptest.ResponseRecorder {
	def := func(text *string, fallback string) {
		if *text == "" {
			*text = fallback
		}
	}
	def(&r.path, "/v1/shops/a/orders")
	def(&r.body, `{"name":"x","size":1}`)
	def(&r.contentType, "application/json")
	def(&r.token, "ada")
	if r.ctx == nil {
		r.ctx = context.Background()
	}
	q := httptest.NewRequestWithContext(r.ctx, http.MethodPost, r.path, strings.NewReader(r.body))
	q.Header.Set("Content-Type", r.contentType)
	q.Header.Set("Authorization", "Bearer "+r.token)
	if r.key != "" {
		q.Header.Set("Idempotency-Key", r.key)
	}
	for name, values := range r.header {
		q.Header[name] = values
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, q)
	return w
}

// carriedOut wants an answer that was made for this request.
func carriedOut(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code != http.StatusCreated || w.Header().Get("Idempotency-Replayed") != "" {
		t.Fatalf("answer %d, replayed %q, want 201 and none: %s", w.Code, w.Header().Get("Idempotency-Replayed"), w.Body)
	}
}

// replayed wants the answer of another request.
func replayed(t testing.TB, w, first *httptest.ResponseRecorder) {
	t.Helper()
	if w.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("Idempotency-Replayed is %q", w.Header().Get("Idempotency-Replayed"))
	}
	if w.Code != first.Code || w.Body.String() != first.Body.String() {
		t.Errorf("answer %d %s, want %d %s", w.Code, w.Body, first.Code, first.Body)
	}
	for _, name := range []string{"Content-Type", "Location"} {
		if w.Header().Get(name) != first.Header().Get(name) {
			t.Errorf("%s is %q, want %q", name, w.Header().Get(name), first.Header().Get(name))
		}
	}
}

// refusedAs wants a problem.
func refusedAs(t testing.TB, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("answer %d %s is no problem: %v", w.Code, w.Body, err)
	}
	if w.Code != status || p.Code != code || w.Header().Get("Content-Type") != problem.ContentType {
		t.Errorf("answer %d %s (%s), want %d %s", w.Code, p.Code, w.Header().Get("Content-Type"), status, code)
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not after 30s: %s", what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func read(t testing.TB, r io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func openURL(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), url, database.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := database.Migrate(context.Background(), db, idempotency.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}
