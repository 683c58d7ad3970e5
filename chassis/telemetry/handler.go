package telemetry

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Handler is a slog.Handler that writes one JSON object a line, in slog.JSONHandler's form, with trace_id, span_id,
// request_id and correlation_id from the context always at the top level, and with sensitive keys and values redacted.
// It encodes by itself: wrapping slog.JSONHandler to add and redact attributes costs three times as much, and every
// request writes a line.
type Handler struct {
	level slog.Leveler
	out   *output
	// prefix holds the attributes of WithAttrs before the first group, encoded once, each with a leading comma.
	prefix []byte
	// frames are the groups and the attributes after the first group, outermost first.
	frames []frame
}

// frame is a group's name or attributes.
type frame struct {
	group string
	attrs []slog.Attr
}

// output is shared by a handler and all that are derived from it.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

// flusher is implemented by writers that hold lines back.
type flusher interface{ Flush() error }

// NewHandler makes a handler. Each line is one Write.
func NewHandler(w io.Writer, level slog.Leveler) *Handler {
	return &Handler{level: level, out: &output{w: w}}
}

// Enabled reports whether a record of the level is written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// WithAttrs gives a handler that adds the attributes to each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	derived := *h
	if len(h.frames) == 0 {
		derived.prefix = slices.Clip(h.prefix)
		for _, a := range attrs {
			derived.prefix = appendAttr(derived.prefix, a)
		}
		return &derived
	}
	derived.frames = append(slices.Clip(h.frames), frame{attrs: attrs})
	return &derived
}

// WithGroup gives a handler that puts what follows under the name.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.frames = append(slices.Clip(h.frames), frame{group: name})
	return &derived
}

var lines = sync.Pool{New: func() any { return new(make([]byte, 0, 1024)) }}

// maxPooledLine keeps one huge line from staying in memory for good.
const maxPooledLine = 16 << 10

// Logged is the attribute of spans of which an error was logged, even if they themselves ended well: a collector that samples must keep
// their traces, or the way from the line to the request ends nowhere.
const Logged = attribute.Key("error.logged")

// Handle writes the record. Warnings and errors are flushed to a writer that holds lines back.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		trace.SpanFromContext(ctx).SetAttributes(Logged.Bool(true))
	}
	line := lines.Get().(*[]byte)
	buf := h.append(ctx, (*line)[:0], r)

	h.out.mu.Lock()
	_, err := h.out.w.Write(buf)
	if f, ok := h.out.w.(flusher); ok && err == nil && r.Level >= slog.LevelWarn {
		err = f.Flush()
	}
	h.out.mu.Unlock()

	if cap(buf) <= maxPooledLine {
		*line = buf
		lines.Put(line)
	}
	return err
}

func (h *Handler) append(ctx context.Context, buf []byte, r slog.Record) []byte {
	buf = append(buf, '{')
	if !r.Time.IsZero() {
		buf = append(buf, `"time":"`...)
		buf = appendTime(buf, r.Time)
		buf = append(buf, `",`...)
	}
	buf = append(buf, `"level":"`...)
	buf = append(buf, r.Level.String()...)
	buf = append(buf, `","msg":`...)
	buf = appendText(buf, Redact(r.Message))
	buf = append(buf, h.prefix...)
	buf = appendIDs(ctx, buf)
	if len(h.frames) == 0 {
		r.Attrs(func(a slog.Attr) bool {
			buf = appendAttr(buf, a)
			return true
		})
	} else {
		attrs := make([]slog.Attr, 0, r.NumAttrs())
		r.Attrs(func(a slog.Attr) bool {
			attrs = append(attrs, a)
			return true
		})
		for _, a := range h.nest(attrs) {
			buf = appendAttr(buf, a)
		}
	}
	return append(buf, '}', '\n')
}

// nest puts a record's attributes into the open groups, innermost first.
func (h *Handler) nest(attrs []slog.Attr) []slog.Attr {
	for _, f := range slices.Backward(h.frames) {
		if f.group != "" {
			attrs = []slog.Attr{{Key: f.group, Value: slog.GroupValue(attrs...)}}
			continue
		}
		attrs = append(slices.Clip(f.attrs), attrs...)
	}
	return attrs
}

// appendIDs adds the context's ids. They have been checked where they came in and need no escaping.
func appendIDs(ctx context.Context, buf []byte) []byte {
	if ctx == nil {
		return buf
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		traceID, spanID := sc.TraceID(), sc.SpanID()
		buf = append(buf, `,"trace_id":"`...)
		buf = hex.AppendEncode(buf, traceID[:])
		buf = append(buf, `","span_id":"`...)
		buf = hex.AppendEncode(buf, spanID[:])
		buf = append(buf, '"')
	}
	ids, _ := ctx.Value(IDsKey{}).(*IDs)
	if ids == nil {
		return buf
	}
	if ids.Request != "" {
		buf = append(buf, `,"request_id":`...)
		buf = appendText(buf, ids.Request)
	}
	if ids.Correlation != "" && ids.Correlation != ids.Request {
		buf = append(buf, `,"correlation_id":`...)
		buf = appendText(buf, ids.Correlation)
	}
	return buf
}
