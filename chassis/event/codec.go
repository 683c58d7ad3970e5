package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/segmentio/kafka-go"
)

// Headers of CloudEvents' Kafka protocol binding, version 1.0.
const (
	attributePrefix   = "ce_"
	contentTypeHeader = "content-type"
	structuredType    = "application/cloudevents"
)

// encode gives the event's headers and payload in binary mode. Headers are sorted, so equal events give equal records.
func encode(e Event) ([]kafka.Header, []byte, error) {
	if err := e.Validate(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	attributes := map[string]string{
		"specversion": e.SpecVersion(), "id": e.ID(), "source": e.Source(), "type": e.Type(),
		"subject": e.Subject(), "dataschema": e.DataSchema(),
	}
	if !e.Time().IsZero() {
		attributes["time"] = e.Time().Format(time.RFC3339Nano)
	}
	for name, value := range e.Extensions() {
		text, err := types.Format(value)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: extension %s: %w", ErrRefused, name, err)
		}
		attributes[name] = text
	}
	headers := make([]kafka.Header, 0, len(attributes)+1)
	for name, value := range attributes {
		if value != "" {
			headers = append(headers, kafka.Header{Key: attributePrefix + name, Value: []byte(value)})
		}
	}
	if e.DataContentType() != "" {
		headers = append(headers, kafka.Header{Key: contentTypeHeader, Value: []byte(e.DataContentType())})
	}
	slices.SortFunc(headers, func(a, b kafka.Header) int { return strings.Compare(a.Key, b.Key) })
	return headers, e.Data(), nil
}

// decode reads an event from a record, in binary or structured mode. Anything at all may have been written to a topic, so
// whatever is no valid CloudEvent is an error.
func decode(headers []kafka.Header, payload []byte) (Event, error) {
	contentType := header(headers, contentTypeHeader)
	if strings.HasPrefix(strings.ToLower(contentType), structuredType) {
		return decodeStructured(payload)
	}
	if header(headers, attributePrefix+"specversion") == "" {
		return Event{}, errors.New("no CloudEvent: it has no header ce_specversion")
	}
	e := cloudevents.New()
	for _, h := range headers {
		name, ok := strings.CutPrefix(strings.ToLower(h.Key), attributePrefix)
		if !ok {
			continue
		}
		if !utf8.Valid(h.Value) {
			return Event{}, fmt.Errorf("no CloudEvent: header %q is not UTF-8", h.Key)
		}
		if err := setAttribute(&e, name, string(h.Value)); err != nil {
			return Event{}, fmt.Errorf("no CloudEvent: header %q: %w", h.Key, err)
		}
	}
	if contentType != "" {
		if !utf8.ValidString(contentType) {
			return Event{}, errors.New("no CloudEvent: its content type is not UTF-8")
		}
		e.SetDataContentType(contentType)
	}
	e.DataEncoded = payload
	return e, validate(e)
}

func decodeStructured(payload []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return Event{}, fmt.Errorf("no CloudEvent: %w", err)
	}
	return e, validate(e)
}

func validate(e Event) error {
	if err := e.Validate(); err != nil {
		return fmt.Errorf("no CloudEvent: %s", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	}
	return nil
}

func setAttribute(e *Event, name, value string) error {
	switch name {
	case "specversion":
		if value != cloudevents.CloudEventsVersionV1 {
			return fmt.Errorf("version %q is not supported, 1.0 is", value)
		}
	case "id":
		e.SetID(value)
	case "source":
		e.SetSource(value)
	case "type":
		e.SetType(value)
	case "subject":
		e.SetSubject(value)
	case "dataschema":
		e.SetDataSchema(value)
	case "datacontenttype":
		e.SetDataContentType(value)
	case "data", "data_base64":
		return errors.New("the name is reserved")
	case "time":
		at, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return err
		}
		e.SetTime(at)
	default:
		e.SetExtension(name, value)
	}
	return nil
}

// header gives the last header called key, as a later one overrides an earlier one.
func header(headers []kafka.Header, key string) string {
	for _, h := range slices.Backward(headers) {
		if strings.EqualFold(h.Key, key) {
			return string(h.Value)
		}
	}
	return ""
}
