package database_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/trellis-mesh/trellis/chassis/database"
)

type patient struct {
	bun.BaseModel `bun:"table:patients"`

	ID     int64 `bun:",pk,autoincrement"`
	Name   string
	Secret string
	Tags   map[string]string
}

// useEveryQuery runs each kind of query, with secret wherever a value can stand.
func useEveryQuery(ctx context.Context, t *testing.T, db *database.DB, secret string) {
	t.Helper()
	// Queries write ids and results into what they are given, so each gets its own, and the order does not matter.
	one := func() *patient {
		return &patient{Name: secret, Secret: secret, Tags: map[string]string{secret: secret}}
	}
	pair := func() *[]patient { return &[]patient{{Name: secret}, {Name: secret}} }
	fields := map[string]any{"name": secret, "secret": secret, "tags": "{}"}
	for name, run := range map[string]func() error{
		"insert":      func() error { _, err := db.NewInsert().Model(one()).Exec(ctx); return err },
		"insert many": func() error { _, err := db.NewInsert().Model(pair()).Exec(ctx); return err },
		"insert map":  func() error { _, err := db.NewInsert().Model(&fields).TableExpr("patients").Exec(ctx); return err },
		"upsert": func() error {
			_, err := db.NewInsert().Model(one()).On("CONFLICT (id) DO UPDATE").Set("name = ?", secret).Exec(ctx)
			return err
		},
		"select": func() error {
			return db.NewSelect().Model(pair()).Where("name = ? OR secret IN (?)", secret, bun.List([]string{secret, secret})).Scan(ctx)
		},
		"select parts": func() error {
			_, err := db.NewSelect().Model((*patient)(nil)).ColumnExpr("?", secret).WherePK().OrderExpr("? || name", secret).Count(ctx)
			_ = err // WherePK of no model is an error; its text must not leak either
			return nil
		},
		"update": func() error { _, err := db.NewUpdate().Model(one()).WherePK().Exec(ctx); return err },
		"update set": func() error {
			_, err := db.NewUpdate().Model(one()).Set("name = ?", secret).Where("name = ?", secret).Exec(ctx)
			return err
		},
		"update map": func() error {
			_, err := db.NewUpdate().Model(&fields).TableExpr("patients").Where("name = ?", secret).Exec(ctx)
			return err
		},
		"update many": func() error { _, err := db.NewUpdate().Model(pair()).Column("name").Bulk().Exec(ctx); return err },
		"delete":      func() error { _, err := db.NewDelete().Model(one()).Where("name = ?", secret).Exec(ctx); return err },
		"raw":         func() error { _, err := db.NewRaw("SELECT ?", secret).Exec(ctx); return err },
		"exec":        func() error { _, err := db.ExecContext(ctx, "UPDATE patients SET name = ?", secret); return err },
		"query row":   func() error { var s string; return db.QueryRowContext(ctx, "SELECT ?", secret).Scan(&s) },
	} {
		if err := run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := db.ExecContext(ctx, "SELECT json(?)", secret); err == nil {
		t.Error("SQLite took the secret for JSON")
	}
}

func TestSpansNeverShowValues(t *testing.T) {
	const secret = "hunter2-Müller"
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	db := openTest(t, "sqlite://:memory:", database.Options{Tracer: provider})
	if _, err := db.NewCreateTable().Model((*patient)(nil)).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(spans.Ended()); n != 0 {
		t.Errorf("%d spans outside any trace", n)
	}
	ctx, root := provider.Tracer("test").Start(t.Context(), "request")
	useEveryQuery(ctx, t, db, secret)
	root.End()

	failed := 0
	for _, span := range spans.Ended() {
		text := fmt.Sprint(span.Name(), span.Attributes(), span.Status(), span.Events())
		if strings.Contains(text, secret) {
			t.Errorf("a span shows the value: %s", text)
		}
		if span.SpanContext().TraceID() != root.SpanContext().TraceID() {
			t.Errorf("%s is not in the request's trace", span.Name())
		}
		if span.Status().Code == codes.Error {
			failed++
		}
	}
	if failed == 0 || len(spans.Ended()) < 15 {
		t.Errorf("%d spans, %d of them failed", len(spans.Ended()), failed)
	}
}

func TestSpansNameOperationAndTable(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	db := openTest(t, "sqlite://:memory:", database.Options{Tracer: provider})
	ctx, root := provider.Tracer("test").Start(t.Context(), "request")
	if _, err := db.NewCreateTable().Model((*patient)(nil)).Exec(ctx); err != nil {
		t.Fatal(err)
	}
	err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&patient{Name: "x"}).Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	root.End()
	var names []string
	for _, span := range spans.Ended() {
		names = append(names, span.Name())
		if span.Name() != "request" && span.Parent().SpanID() != root.SpanContext().SpanID() {
			t.Errorf("%s is not a child of the request", span.Name())
		}
	}
	if got, want := strings.Join(names, ", "), "CREATE TABLE patients, BEGIN, INSERT patients, COMMIT, request"; got != want {
		t.Errorf("spans: %s; want %s", got, want)
	}
}

func TestPoolMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	db := openTest(t, "sqlite://:memory:", database.Options{Name: "orders", Registry: registry, MaxOpen: 3})
	if err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		return testutil.GatherAndCompare(registry, strings.NewReader(`
			# HELP db_pool_max_connections Connections the pool may open.
			# TYPE db_pool_max_connections gauge
			db_pool_max_connections{database="orders"} 3
			# HELP db_pool_used_connections Connections in use.
			# TYPE db_pool_used_connections gauge
			db_pool_used_connections{database="orders"} 1
		`), "db_pool_max_connections", "db_pool_used_connections")
	}); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "db_query_duration_seconds"); err != nil || n != 2 { // BEGIN, COMMIT
		t.Errorf("%d histograms, %v", n, err)
	}
	if _, err := database.Open(t.Context(), "sqlite://:memory:", database.Options{Name: "orders", Registry: registry}); err == nil {
		t.Error("two pools report under one name")
	}
}
