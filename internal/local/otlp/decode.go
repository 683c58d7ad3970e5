package otlp

import (
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

var (
	errTooLarge = errors.New("the body is too large")
	errEncoding = errors.New("unsupported content type or encoding: send application/x-protobuf, plain or with gzip")
)

// decode reads an export request into one: protobuf, plain or gzip, of at most limit bytes when unpacked.
func decode(r *http.Request, limit int64, into proto.Message) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-protobuf" {
		return errEncoding
	}
	body := io.Reader(r.Body)
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return fmt.Errorf("unpack gzip: %w", err)
		}
		body = unpacked
	default:
		return errEncoding
	}
	raw, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	if int64(len(raw)) > limit {
		return errTooLarge
	}
	if err := proto.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("parse protobuf: %w", err)
	}
	return nil
}

// spansByTrace flattens the request; spans without a valid id are left out.
func spansByTrace(req *collector.ExportTraceServiceRequest) map[string][]Span {
	out := make(map[string][]Span)
	for _, rs := range req.GetResourceSpans() {
		service, _ := attributes(rs.GetResource().GetAttributes())["service.name"].(string)
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				if len(s.GetTraceId()) != 16 || len(s.GetSpanId()) != 8 {
					continue
				}
				id := hex.EncodeToString(s.GetTraceId())
				out[id] = append(out[id], newSpan(service, s))
			}
		}
	}
	return out
}

func newSpan(service string, s *trace.Span) Span {
	span := Span{
		ID:         hex.EncodeToString(s.GetSpanId()),
		Parent:     hex.EncodeToString(s.GetParentSpanId()),
		Service:    service,
		Name:       s.GetName(),
		Kind:       strings.ToLower(strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_")),
		Start:      moment(s.GetStartTimeUnixNano()),
		Error:      s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR,
		Status:     s.GetStatus().GetMessage(),
		Attributes: attributes(s.GetAttributes()),
	}
	if end := moment(s.GetEndTimeUnixNano()); end.After(span.Start) {
		span.Duration = end.Sub(span.Start)
	}
	for _, e := range s.GetEvents() {
		span.Events = append(span.Events, Event{Name: e.GetName(), Time: moment(e.GetTimeUnixNano()), Attributes: attributes(e.GetAttributes())})
	}
	for _, l := range s.GetLinks() {
		span.Links = append(span.Links, hex.EncodeToString(l.GetTraceId()))
	}
	return span
}

func moment(nanos uint64) time.Time {
	return time.Unix(int64(nanos/1e9), int64(nanos%1e9)).UTC() //nolint:gosec // nanos/1e9 fits an int64
}

func attributes(kvs []*common.KeyValue) map[string]any {
	if len(kvs) == 0 {
		return nil
	}
	out := make(map[string]any, len(kvs))
	for _, kv := range kvs {
		out[kv.GetKey()] = value(kv.GetValue())
	}
	return out
}

func value(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_BoolValue:
		return v.BoolValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_DoubleValue:
		return v.DoubleValue
	case *common.AnyValue_BytesValue:
		return hex.EncodeToString(v.BytesValue)
	case *common.AnyValue_ArrayValue:
		list := make([]any, 0, len(v.ArrayValue.GetValues()))
		for _, item := range v.ArrayValue.GetValues() {
			list = append(list, value(item))
		}
		return list
	case *common.AnyValue_KvlistValue:
		return attributes(v.KvlistValue.GetValues())
	}
	return nil
}
