package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	otellog "go.opentelemetry.io/otel/log"
)

// exportHandler is a slog.Handler that hands records to OpenTelemetry, with what Handler would redact redacted. Trace and
// span are the record's own, the other ids its attributes; the members of a group have its name and a dot before theirs.
// OpenTelemetry's bridge for slog would need every attribute rebuilt before it, to redact it.
type exportHandler struct {
	level  slog.Leveler
	logger otellog.Logger
	attrs  []attribute.KeyValue // of WithAttrs
	prefix string               // the open groups, each followed by a dot
}

func (h *exportHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

func (h *exportHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		derived.attrs = exported(derived.attrs, h.prefix, a)
	}
	return &derived
}

func (h *exportHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.prefix += name + "."
	return &derived
}

// Handle never waits: what exports the records drops them when it cannot keep up.
func (h *exportHandler) Handle(ctx context.Context, r slog.Record) error {
	var record otellog.Record
	record.SetTimestamp(r.Time)
	record.SetSeverity(severity(r.Level))
	record.SetSeverityText(r.Level.String())
	record.SetBody(attribute.StringValue(valid(Redact(r.Message))))

	ids := ContextIDs(ctx)
	attrs := append(make([]attribute.KeyValue, 0, len(h.attrs)+r.NumAttrs()+2), h.attrs...)
	if ids.Request != "" {
		attrs = set(attrs, attribute.String("request_id", ids.Request))
	}
	if ids.Correlation != "" && ids.Correlation != ids.Request {
		attrs = set(attrs, attribute.String("correlation_id", ids.Correlation))
	}
	r.Attrs(func(a slog.Attr) bool {
		attrs = exported(attrs, h.prefix, a)
		return true
	})
	record.AddAttributes(attrs...)
	h.logger.Emit(ctx, record)
	return nil
}

// severity is slog's level as OpenTelemetry counts it: both have four steps from one named level to the next.
func severity(level slog.Level) otellog.Severity {
	return otellog.Severity(min(max(int(level-slog.LevelInfo)+int(otellog.SeverityInfo), int(otellog.SeverityTrace1)), int(otellog.SeverityFatal4)))
}

// exported adds an attribute as appendAttr writes it.
func exported(to []attribute.KeyValue, prefix string, a slog.Attr) []attribute.KeyValue {
	a.Value = a.Value.Resolve()
	key := prefix + a.Key
	switch {
	case a.Value.Kind() == slog.KindGroup && !SensitiveKey(a.Key):
		if a.Key != "" {
			prefix = key + "."
		}
		for _, member := range a.Value.Group() {
			to = exported(to, prefix, member)
		}
		return to
	case a.Key == "":
		return to
	case SensitiveKey(a.Key):
		return set(to, attribute.String(key, Redacted))
	}
	return set(to, attribute.KeyValue{Key: attribute.Key(key), Value: exportedValue(a.Value)})
}

// set adds an attribute, in the place of one with the same key: a record has each key once, the last value wins. Records have few
// attributes, and the SDK, which would see to it with maps, is told not to.
func set(to []attribute.KeyValue, kv attribute.KeyValue) []attribute.KeyValue {
	for i := range to {
		if to[i].Key == kv.Key {
			to[i] = kv
			return to
		}
	}
	return append(to, kv)
}

func exportedValue(v slog.Value) attribute.Value {
	switch v.Kind() {
	case slog.KindString:
		return attribute.StringValue(valid(Redact(v.String())))
	case slog.KindBool:
		return attribute.BoolValue(v.Bool())
	case slog.KindFloat64:
		return attribute.Float64Value(v.Float64())
	case slog.KindDuration:
		return attribute.Int64Value(int64(v.Duration()))
	case slog.KindInt64:
		if !isCardNumber(v.Int64()) {
			return attribute.Int64Value(v.Int64())
		}
	}
	text := string(appendValue(nil, v)) // JSON: a text in quotes, or a number, a list, an object
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	return attribute.StringValue(valid(text))
}

// valid replaces what is no UTF-8: one record with other bytes would keep its whole batch from being exported.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
