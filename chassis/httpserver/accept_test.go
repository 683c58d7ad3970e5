package httpserver

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

const acceptSchemas = `
openapi: 3.0.3
info: {title: x, version: "1"}
paths: {}
components:
  schemas:
    A:
      type: object
      required: [t]
      properties:
        t: {type: string, minLength: 1, maxLength: 5}
        two: {type: string, minLength: 2}
        e: {type: string, enum: [a, b]}
        d: {type: string, format: date}
        u: {type: string, format: uuid}
        b64: {type: string, format: byte}
        odd: {type: string, format: no-such}
        i: {type: integer, minimum: -3, maximum: 3}
        i32: {type: integer, format: int32}
        i64: {type: integer, format: int64}
        f: {type: number, minimum: 0.5, nullable: true}
        x: {type: number, exclusiveMinimum: true, minimum: 0}
        ok: {type: boolean}
        l: {type: array, minItems: 1, maxItems: 2, items: {$ref: "#/components/schemas/A"}}
        q: {type: array, uniqueItems: true, items: {}}
        m: {type: object, additionalProperties: {type: integer}}
        free: {type: object}
        none: {type: object, additionalProperties: false, properties: {r: {type: string, readOnly: true}, w: {type: string, writeOnly: true}, f: {type: string, default: x}}}
        some: {oneOf: [{type: string}, {type: integer}]}
        p: {type: string, pattern: "^a"}
        any: {}
`

func schemaA(t testing.TB) (*openapi3.SchemaRef, *acceptor) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(acceptSchemas))
	if err != nil {
		t.Fatal(err)
	}
	ref := doc.Components.Schemas["A"]
	return ref, newAcceptor(ref, map[*openapi3.Schema]*acceptor{})
}

func TestAcceptorKnowsTheCommonKeywords(t *testing.T) {
	_, a := schemaA(t)
	for text, want := range map[string]bool{
		`{"t":"ab"}`:                       true,
		`{"t":""}`:                         false,
		`{"t":"a","two":"abcdefgh"}`:       true,
		`{"t":"a","two":"abc"}`:            false, // for all it knows one character
		`{}`:                               false,
		`null`:                             false,
		`{"t":null}`:                       false,
		`"x"`:                              false,
		`{"t":"abcdef"}`:                   false,
		`{"t":"é€"}`:                       true,
		`{"t":"a","e":"b"}`:                true,
		`{"t":"a","e":"c"}`:                false,
		`{"t":"a","d":"2026-02-28"}`:       true,
		`{"t":"a","d":"2026-02-30"}`:       false,
		`{"t":"a","odd":"x"}`:              true,
		`{"t":"a","b64":"x"}`:              false, // not sure
		`{"t":"a","i":3}`:                  true,
		`{"t":"a","i":4}`:                  false,
		`{"t":"a","i":1.0}`:                false, // not sure
		`{"t":"a","i32":2147483648}`:       false,
		`{"t":"a","i64":123456789012}`:     true,
		`{"t":"a","f":null}`:               true,
		`{"t":"a","f":0.5}`:                true,
		`{"t":"a","f":1e999}`:              false,
		`{"t":"a","x":1}`:                  false, // not sure
		`{"t":"a","ok":true}`:              true,
		`{"t":"a","ok":"true"}`:            false,
		`{"t":"a","l":[{"t":"b"}]}`:        true,
		`{"t":"a","l":[{}]}`:               false,
		`{"t":"a","l":[]}`:                 false,
		`{"t":"a","m":{"a":1,"b":2}}`:      true,
		`{"t":"a","m":{"a":"1"}}`:          false,
		`{"t":"a","free":{"a":[1,null]}}`:  true,
		`{"t":"a","none":{"w":"x"}}`:       false, // a default is missing
		`{"t":"a","none":{"f":"y"}}`:       true,
		`{"t":"a","none":{"f":"y","r":1}}`: false,
		`{"t":"a","none":{"f":"y","z":1}}`: false,
		`{"t":"a","some":"x"}`:             false, // not sure
		`{"t":"a","p":"ab"}`:               false, // not sure
		`{"t":"a","other":{"x":[1]}}`:      true,
	} {
		if got := accepted(t, a, text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func accepted(t testing.TB, a *acceptor, text string) bool {
	t.Helper()
	value, err := decodeJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a.accepts(value)
}

// FuzzAcceptor looks for a value that the acceptor takes and kin-openapi does not, or to which kin-openapi adds a default.
func FuzzAcceptor(f *testing.F) {
	for _, seed := range []string{
		`{"t":"abcdefg"}`, `{"t":"\ud83d\ude00\ud83d\ude00"}`, `{"t":"abcdefgh","i":-0,"i32":1,"i64":9223372036854775807,"f":1e308}`,
		`{"t":"abcde","l":[{"t":"abcde","none":{"f":"x"}}],"m":{"a":1},"free":{"x":null},"d":"2026-01-01","e":"a"}`,
		`{"t":"abcde","u":"0191f7a1-8a43-7cc0-8f52-8f2a4a9f0f11","odd":"\u0000","ok":false,"f":null}`,
	} {
		f.Add([]byte(seed))
	}
	schema, a := schemaA(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := decodeJSON(text)
		if err != nil || !a.accepts(value) {
			return
		}
		filled := false
		err = schema.Value.VisitJSON(value, openapi3.VisitAsRequest(), openapi3.MultiErrors(),
			openapi3.WithStringFormatValidators(formats), openapi3.DefaultsSet(func() { filled = true }))
		if err != nil || filled {
			t.Fatalf("%s is taken: %v, default filled in: %v", text, err, filled)
		}
	})
}
