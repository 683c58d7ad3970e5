package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"modernc.org/sqlite"
)

// longestText is how much of a statement a span keeps.
const longestText = 2000

// queryHook measures each query, and makes a span for those that belong to a trace, by OpenTelemetry's conventions for
// database clients. Statements are shown with their placeholders and errors by their code, so no value can leak.
//
// bun's own hook (bunotel) starts a trace for every background poll and puts error texts, which may quote values, in spans.
type queryHook struct {
	system  string
	name    string
	tracer  trace.Tracer
	metrics *poolMetrics
}

func newQueryHook(kind string, opt Options, metrics *poolMetrics) *queryHook {
	provider := opt.Tracer
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	system := kind
	if kind == Postgres {
		system = "postgresql"
	}
	return &queryHook{system, opt.Name, provider.Tracer("github.com/trellis-mesh/trellis/chassis/database"), metrics}
}

type spanKey struct{}

// BeforeQuery implements bun.QueryHook.
func (h *queryHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	_, span := h.tracer.Start(ctx, "query", trace.WithSpanKind(trace.SpanKindClient))
	// Not the context's current span: BEGIN's context lives on in the transaction, whose queries are no part of BEGIN.
	return context.WithValue(ctx, spanKey{}, span)
}

// AfterQuery implements bun.QueryHook.
func (h *queryHook) AfterQuery(ctx context.Context, q *bun.QueryEvent) {
	operation := strings.ToUpper(q.Operation())
	outcome := "ok"
	if failed(q.Err) {
		outcome = "error"
	}
	h.metrics.queries.WithLabelValues(knownOperation(operation), outcome).Observe(time.Since(q.StartTime).Seconds())
	if span, ok := ctx.Value(spanKey{}).(trace.Span); ok {
		if span.IsRecording() {
			h.describe(span, operation, q)
		}
		span.End()
	}
}

func (h *queryHook) describe(span trace.Span, operation string, q *bun.QueryEvent) {
	name, text := operation, q.QueryTemplate
	attrs := []attribute.KeyValue{
		attribute.String("db.system.name", h.system),
		attribute.String("db.namespace", h.name),
		attribute.String("db.operation.name", operation),
	}
	if q.IQuery != nil {
		if table := q.IQuery.GetTableName(); table != "" {
			name += " " + table
			attrs = append(attrs, attribute.String("db.collection.name", table))
		}
		if b, err := q.IQuery.AppendQuery(schema.NewNopQueryGen(), nil); err == nil {
			text = string(b)
		}
	}
	span.SetName(name)
	if len(text) > longestText {
		text = text[:longestText]
	}
	attrs = append(attrs, attribute.String("db.query.text", strings.ToValidUTF8(text, "")))
	if failed(q.Err) {
		code := errorCode(q.Err)
		attrs = append(attrs, attribute.String("error.type", code), attribute.String("db.response.status_code", code))
		span.SetStatus(codes.Error, code)
	}
	span.SetAttributes(attrs...)
}

func failed(err error) bool {
	return err != nil && !errors.Is(err, sql.ErrNoRows)
}

// errorCode names an error without any value in it: SQLSTATE, SQLite's result code, or the Go type.
func errorCode(err error) string {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return pg.Code
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return fmt.Sprint(lite.Code())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return "cancelled"
	}
	return fmt.Sprintf("%T", err)
}

// knownOperation bounds the label's values, whatever text a raw query begins with.
func knownOperation(op string) string {
	switch op {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "ROLLBACK":
		return op
	}
	return "OTHER"
}
