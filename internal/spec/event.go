package spec

import (
	"path"
	"strings"
)

// Event is the JSON Schema of one event type.
type Event struct {
	Type   string // order.created.v1
	Path   string // contracts/events/order.created.v1.json
	Raw    []byte
	Schema *Schema
}

// ParseEvent reads the schema of the event type that the file is named after. The error is of type Problems.
func ParseEvent(file string, raw []byte) (*Event, error) {
	e, problems := parseEvent(file, raw)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return e, nil
}

func parseEvent(file string, raw []byte) (*Event, Problems) {
	var problems Problems
	at := Position{file, 1, 1}
	e := &Event{Type: strings.TrimSuffix(path.Base(file), ".json"), Path: file, Raw: raw}
	if f := (rules{is: "event"}).text(e.Type); f != nil {
		problems.Add(at, "rename the file: "+f.remedy, "the file's name %s", f.message)
		return nil, problems
	}
	if problem := unreadable(file, raw, maxEvent); problem != nil {
		return nil, Problems{*problem}
	}
	root, problem := parseJSON(file, raw)
	if problem != nil {
		return nil, Problems{*problem}
	}
	p := schemaParser{places: locate(file, raw)}
	e.Schema = p.schema(root, "the schema")
	if len(p.problems) == 0 && e.Schema.Type != "object" {
		p.problems.Add(e.Schema.Position, `write "type": "object" and name the properties`, "an event's schema must be of the type object, not %s", e.Schema.Type)
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return e, nil
}
