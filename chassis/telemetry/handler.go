package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// Handler is a slog.Handler that writes JSON with trace_id, span_id, request_id and correlation_id from the context,
// always at the top level, and with sensitive attributes and values redacted.
type Handler struct {
	json slog.Handler
	// frames are the attributes and groups since the first WithGroup. They are put together for each record, since the
	// ids belong above them; before the first group, attributes go to json, which formats them once.
	frames []frame
}

// frame is a group's name or attributes.
type frame struct {
	group string
	attrs []slog.Attr
}

// NewHandler makes a handler that writes one JSON object a line.
func NewHandler(w io.Writer, level slog.Leveler) *Handler {
	return &Handler{json: slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})}
}

// Enabled reports whether a record of the level is written.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.json.Enabled(ctx, level)
}

// WithAttrs gives a handler that adds the attributes to each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = redactAttr(a)
	}
	if len(h.frames) == 0 {
		return &Handler{json: h.json.WithAttrs(clean)}
	}
	return &Handler{json: h.json, frames: append(slices.Clip(h.frames), frame{attrs: clean})}
}

// WithGroup gives a handler that puts what follows under the name.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{json: h.json, frames: append(slices.Clip(h.frames), frame{group: name})}
}

// Handle writes the record.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, Redact(r.Message), r.PC)
	addIDs(ctx, &out)
	if len(h.frames) == 0 {
		r.Attrs(func(a slog.Attr) bool {
			out.AddAttrs(redactAttr(a))
			return true
		})
		return h.json.Handle(ctx, out)
	}
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, redactAttr(a))
		return true
	})
	out.AddAttrs(h.nest(attrs)...)
	return h.json.Handle(ctx, out)
}

// nest puts a record's attributes into the open groups, innermost first.
func (h *Handler) nest(attrs []slog.Attr) []slog.Attr {
	for _, f := range slices.Backward(h.frames) {
		if f.group != "" {
			if len(attrs) > 0 {
				attrs = []slog.Attr{{Key: f.group, Value: slog.GroupValue(attrs...)}}
			}
			continue
		}
		attrs = append(slices.Clip(f.attrs), attrs...)
	}
	return attrs
}

func addIDs(ctx context.Context, r *slog.Record) {
	if ctx == nil {
		return
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	ids := ContextIDs(ctx)
	if ids.Request != "" {
		r.AddAttrs(slog.String("request_id", ids.Request))
	}
	if ids.Correlation != "" && ids.Correlation != ids.Request {
		r.AddAttrs(slog.String("correlation_id", ids.Correlation))
	}
}
