package telemetry

import (
	"encoding/json"
	"log/slog"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendAttr adds ,"key":value with the value redacted where it must be. Empty attributes and empty groups vanish and
// groups without a key are opened up, as slog.Handler asks.
func appendAttr(buf []byte, a slog.Attr) []byte {
	kind := a.Value.Kind()
	if kind == slog.KindLogValuer {
		a.Value = a.Value.Resolve()
		kind = a.Value.Kind()
	}
	if a.Key == "" {
		if a.Equal(slog.Attr{}) {
			return buf
		}
		if kind == slog.KindGroup {
			for _, member := range a.Value.Group() {
				buf = appendAttr(buf, member)
			}
			return buf
		}
	}
	before := len(buf)
	buf = append(buf, ',')
	buf = appendText(buf, a.Key)
	buf = append(buf, ':')
	if SensitiveKey(a.Key) {
		return appendText(buf, Redacted)
	}
	if kind == slog.KindGroup {
		start := len(buf)
		for _, member := range a.Value.Group() {
			buf = appendAttr(buf, member)
		}
		if len(buf) == start {
			return buf[:before]
		}
		buf[start] = '{' // in place of the first member's comma
		return append(buf, '}')
	}
	return appendValue(buf, a.Value)
}

func appendValue(buf []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendText(buf, Redact(v.String()))
	case slog.KindInt64:
		if isCardNumber(v.Int64()) {
			return appendText(buf, Redacted)
		}
		return strconv.AppendInt(buf, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(buf, v.Uint64(), 10)
	case slog.KindFloat64:
		return appendFloat(buf, v.Float64())
	case slog.KindBool:
		return strconv.AppendBool(buf, v.Bool())
	case slog.KindDuration:
		return strconv.AppendInt(buf, int64(v.Duration()), 10)
	case slog.KindTime:
		buf = append(buf, '"')
		buf = v.Time().AppendFormat(buf, time.RFC3339Nano)
		return append(buf, '"')
	}
	return appendAny(buf, v.Any())
}

func appendFloat(buf []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return appendText(buf, strconv.FormatFloat(f, 'g', -1, 64)) // JSON has no such number
	}
	return strconv.AppendFloat(buf, f, 'g', -1, 64)
}

// appendText adds a quoted JSON string.
func appendText(buf []byte, text string) []byte {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b == '"' || b == '\\' || b >= utf8.RuneSelf {
			return appendEscaped(buf, text)
		}
	}
	buf = append(buf, '"')
	buf = append(buf, text...)
	return append(buf, '"')
}

func appendEscaped(buf []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // a string always has a JSON form
		return append(buf, `""`...)
	}
	return append(buf, quoted...)
}
