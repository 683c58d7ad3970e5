package spec

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const eventFile = "contracts/events/order.created.v1.json"

func TestEventSchemaIsRead(t *testing.T) {
	e, err := ParseEvent(eventFile, []byte(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "An order was created",
  "type": "object",
  "additionalProperties": true,
  "required": ["id", "lines"],
  "properties": {
    "id": {"type": "string", "description": "The order's.", "minLength": 1},
    "state": {"type": "string", "enum": ["new", "paid"]},
    "createdAt": {"type": "string", "format": "date-time"},
    "lines": {"type": "array", "items": {"type": "object", "properties": {"quantity": {"type": "integer", "enum": [1, 2]}}}},
    "paid": {"type": "boolean"},
    "total": {"type": "number"}
  }
}
`))
	if err != nil {
		t.Fatal(err)
	}
	text := func(s Schema) *Schema { s.Type = "string"; return &s }
	want := &Event{Type: "order.created.v1", Path: eventFile, Schema: &Schema{
		Type: "object", Title: "An order was created",
		Properties: []Property{
			{"id", true, text(Schema{Description: "The order's."})},
			{"state", false, text(Schema{Enum: []any{"new", "paid"}})},
			{"createdAt", false, text(Schema{Format: "date-time"})},
			{"lines", true, &Schema{Type: "array", Items: &Schema{Type: "object", Properties: []Property{
				{"quantity", false, &Schema{Type: "integer", Enum: []any{json.Number("1"), json.Number("2")}}},
			}}}},
			{"paid", false, &Schema{Type: "boolean"}},
			{"total", false, &Schema{Type: "number"}},
		},
	}}
	if diff := cmp.Diff(want, e, cmpopts.IgnoreFields(Event{}, "Raw"), cmpopts.IgnoreFields(Schema{}, "Position")); diff != "" {
		t.Error(diff)
	}
	if got := e.Schema.Properties[3].Schema.Items.Position.String(); got != eventFile+":11:41" {
		t.Errorf("the items of lines are at %s", got)
	}
}

func TestBrokenEventSchemaGivesOneProblem(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", `1:1: the JSON cannot be read: it ends too early
    correct it here or just before`},
		{"comma missing", "{\n  \"type\": \"object\"\n  \"title\": \"x\"\n}", `3:3: the JSON cannot be read: invalid character '"' after object key:value pair
    correct it here or just before`},
		{"more after the end", `{"type": "object"} x`, `1:20: the JSON cannot be read: something follows its end
    correct it here or just before`},
		{"key twice", `{"type": "object", "type": "object"}`, `1:20: the key "type" stands twice
    remove one of the two`},
		{"too deep", strings.Repeat(`{"items":`, 200), `1:901: the JSON cannot be read: it is nested too deeply
    correct it here or just before`},
		{"no object", `[]`, `1:1: the schema must be an object
    write an object such as {"type": "string"}`},
		{"no type", `{"properties": {}}`, `1:1: the schema has no type
    add "type": one of object, array, string, integer, number, boolean`},
		{"not an object's schema", `{"type": "string"}`, `1:1: an event's schema must be of the type object, not string
    write "type": "object" and name the properties`},
		{"several types", `{"type": "object", "properties": {"a": {"type": ["string", "null"]}}}`, `1:49: the type of the property a is not supported
    write one of object, array, string, integer, number, boolean`},
		{"keyword unsupported", `{"type": "object", "properties": {"a": {"type": "string", "const": "x"}}}`, `1:59: the keyword "const" is not supported: no Go type follows from it
    say it with type, title, description, format, enum, properties, required, items alone`},
		{"reference", `{"type": "object", "properties": {"a": {"type": "object", "$ref": "#/b"}}}`, `1:59: the keyword "$ref" is not supported: no Go type follows from it
    say it with type, title, description, format, enum, properties, required, items alone`},
		{"keyword mistyped", `{"type": "object", "propertys": {}}`, `1:20: the keyword "propertys" is not supported: no Go type follows from it
    did you mean properties?`},
		{"array without items", `{"type": "object", "properties": {"a": {"type": "array"}}}`, `1:40: the property a is an array without items
    add "items": {"type": …}`},
		{"items of a text", `{"type": "object", "properties": {"a": {"type": "string", "items": {"type": "string"}}}}`, `1:59: the property a is of the type string, where "items" says nothing
    remove it, or make the type array`},
		{"required unknown", `{"type": "object", "required": ["idd"], "properties": {"id": {"type": "string"}}}`, `1:33: required names "idd", which is no property
    did you mean id?`},
		{"enum of another type", `{"type": "object", "properties": {"a": {"type": "integer", "enum": [1, 1.5]}}}`, `1:72: this value of enum is not of the type integer
    write values of the type integer`},
		{"map of a schema", `{"type": "object", "additionalProperties": {"type": "string"}}`, `1:44: additionalProperties must be true or false: maps of a schema are not supported
    write true or false, or name the properties`},
		{"property unfit for Go", `{"type": "object", "properties": {"1st": {"type": "string"}}}`, `1:35: "1st" cannot be the name of a property: no Go field can be named after it
    use letters and digits, a letter first, such as orderId`},
		{"properties that Go takes for one", `{"type": "object", "properties": {"orderId": {"type": "string"}, "order_id": {"type": "string"}}}`, `1:66: the properties orderId and order_id give the same Go field
    rename one of the two`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseEvent(eventFile, []byte(test.text))
			if err == nil {
				t.Fatal("no problem")
			}
			if diff := cmp.Diff(eventFile+":"+test.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
