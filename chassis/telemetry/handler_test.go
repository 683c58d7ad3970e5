package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestHandlerKeepsSlogsRules(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return NewHandler(&out, slog.LevelInfo)
	}, func(t *testing.T) map[string]any { return decodeLine(t, out.Bytes()) })
}

func decodeLine(t *testing.T, line []byte) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return fields
}

// logged gives the fields of one line, without those that every line has.
func logged(ctx context.Context, t *testing.T, log func(*slog.Logger, context.Context)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(slog.New(NewHandler(&out, slog.LevelInfo)), ctx)
	fields := decodeLine(t, out.Bytes())
	delete(fields, "time")
	delete(fields, "level")
	delete(fields, "msg")
	return fields
}

var traced = trace.ContextWithSpanContext(
	WithIDs(context.Background(), IDs{Request: "r1", Correlation: "c1"}),
	trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))

func TestIDsStandAtTheTopLevelEvenWithinGroups(t *testing.T) {
	got := logged(traced, t, func(l *slog.Logger, ctx context.Context) {
		l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").InfoContext(ctx, "x", "c", 3)
	})
	want := map[string]any{
		"trace_id": "01000000000000000000000000000000", "span_id": "0200000000000000", "request_id": "r1", "correlation_id": "c1",
		"a": 1.0, "g": map[string]any{"b": 2.0, "h": map[string]any{"c": 3.0}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSpansSayThatAnErrorWasLogged(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")
	log := slog.New(NewHandler(io.Discard, slog.LevelInfo))
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		ctx, span := tracer.Start(t.Context(), "work")
		log.Log(ctx, level, "so it went")
		span.End()
	}
	for i, want := range []bool{false, false, true} {
		if marked := slices.Contains(spans.GetSpans()[i].Attributes, Logged.Bool(true)); marked != want {
			t.Errorf("span %d says of an error: %v, want %v", i, marked, want)
		}
	}
}

func TestSensitiveAttributesAreRedactedWhereverTheyAre(t *testing.T) {
	type login struct {
		Name     string
		Password string
		Cards    []string
	}
	u, err := url.Parse("http://user:hunter2@host/")
	if err != nil {
		t.Fatal(err)
	}
	got := logged(context.Background(), t, func(l *slog.Logger, ctx context.Context) {
		l.With("token", "t").WithGroup("g").With("secret", "s").LogAttrs(ctx, slog.LevelInfo, "card 4111111111111111",
			slog.String("password", "p"),
			slog.Any("login", &login{"n", "p", []string{"4111111111111111"}}),
			slog.Any("header", http.Header{"Authorization": {"Bearer x"}, "Accept": {"*/*"}}),
			slog.Any("error", errors.New("dial postgres://u:p@h")),
			slog.Any("url", u),
			slog.Int64("number", 4111111111111111),
			slog.Group("inner", slog.String("cvv", "123"), slog.Int("n", 1)),
		)
	})
	want := map[string]any{
		"token": Redacted,
		"g": map[string]any{
			"secret": Redacted, "password": Redacted,
			"login":  map[string]any{"Name": "n", "Password": Redacted, "Cards": []any{Redacted}},
			"header": map[string]any{"Authorization": Redacted, "Accept": []any{"*/*"}},
			"error":  "dial postgres://u:[redacted]@h",
			"url":    "http://user:[redacted]@host/",
			"number": Redacted,
			"inner":  map[string]any{"cvv": Redacted, "n": 1.0},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMessageIsRedacted(t *testing.T) {
	var out bytes.Buffer
	slog.New(NewHandler(&out, slog.LevelInfo)).Info("card 4111111111111111")
	if msg := decodeLine(t, out.Bytes())["msg"]; msg != "card [redacted]" {
		t.Error(msg)
	}
}

type broken struct{ pointer *int }

func (b *broken) Error() string  { return string(rune(*b.pointer)) }
func (b *broken) String() string { return string(rune(*b.pointer)) }

type loop struct{ Next *loop }

func TestOddValuesStayValidJSON(t *testing.T) {
	ring := &loop{}
	ring.Next = ring
	var missing *broken
	got := logged(context.Background(), t, func(l *slog.Logger, ctx context.Context) {
		l.LogAttrs(ctx, slog.LevelInfo, "x",
			slog.Float64("nan", math.NaN()), slog.Float64("inf", math.Inf(-1)),
			slog.String("quote", "a\"b\\c\n\x00\xff<é"), slog.String("k\"ey", "v"),
			slog.Any("nil", nil), slog.Any("error", error(missing)), slog.Any("bytes", []byte("abc")),
			slog.Any("channel", make(chan int)), slog.Any("ring", ring), slog.Duration("d", time.Second),
			slog.Uint64("u", math.MaxUint64), slog.Bool("b", true), slog.Any("lvl", slog.LevelWarn),
		)
	})
	for key, want := range map[string]any{
		"nan": "NaN", "inf": "-Inf", "nil": nil, "bytes": "abc", "d": 1e9, "b": true, `k"ey`: "v", "quote": "a\"b\\c\n\x00�<é", "lvl": "WARN",
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

func TestLevelChangesAtOnce(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	log := slog.New(NewHandler(&out, level)).With("a", 1)
	log.Debug("before")
	level.Set(slog.LevelDebug)
	log.Debug("after")
	if got := strings.Count(out.String(), "\n"); got != 1 || !strings.Contains(out.String(), "after") {
		t.Errorf("log %s", out.String())
	}
}

func TestLinesOfManyWritersAreWhole(t *testing.T) {
	var out bytes.Buffer
	buffer := NewLineBuffer(&out, time.Hour)
	log := slog.New(NewHandler(buffer, slog.LevelInfo))
	const writers, each = 8, 500
	var done sync.WaitGroup
	for range writers {
		done.Go(func() {
			for i := range each {
				log.Info("line", "i", i, "text", strings.Repeat("x", 50))
			}
		})
	}
	done.Wait()
	if err := buffer.Close(); err != nil {
		t.Fatal(err)
	}
	decoder, n := json.NewDecoder(&out), 0
	for ; ; n++ {
		var line map[string]any
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != writers*each {
		t.Errorf("%d lines, want %d", n, writers*each)
	}
}

// signalled tells of each write.
type signalled struct{ writes chan string }

func (s signalled) Write(b []byte) (int, error) {
	s.writes <- string(b)
	return len(b), nil
}

func TestLineBufferWritesAfterItsDelayOrAtOnceForWarnings(t *testing.T) {
	out := signalled{make(chan string, 10)}
	log := slog.New(NewHandler(NewLineBuffer(out, time.Millisecond), slog.LevelInfo))
	log.Info("one")
	if got := <-out.writes; strings.Count(got, "\n") != 1 {
		t.Errorf("wrote %q", got)
	}

	slow := NewLineBuffer(out, time.Hour)
	log = slog.New(NewHandler(slow, slog.LevelInfo))
	log.Info("two")
	log.Info("three")
	log.Warn("four")
	if got := <-out.writes; strings.Count(got, "\n") != 3 {
		t.Errorf("wrote %q", got)
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	log.Info("five")
	if got := <-out.writes; !strings.Contains(got, "five") {
		t.Errorf("wrote %q", got)
	}
}

func BenchmarkHandler(b *testing.B) {
	log := slog.New(NewHandler(io.Discard, slog.LevelInfo)).With("service", "x")
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(traced, slog.LevelInfo, "request", slog.String("method", "GET"), slog.String("path", "/v1/greetings/abc"),
			slog.String("operation", "getGreeting"), slog.Int("status", 200), slog.Float64("duration_ms", 1.25))
	}
}
