package expect

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

const sample = `operations:
  getProduct:
    - when: there is the product tea
      path: {id: tea}
      headers: {X-Tenant: one}
      status: 200
      reads:
        id: string
        price: {amount: string, currency: EUR | USD}
        (description): string
        tags: [string]
        createdAt: time
    - {path: {id: none}, status: 404}
  order:
    - body: {quantity: 2, tags: [a]}
      query: {limit: "10", ids: "a,b"}
      status: 201
events:
  product.created.v1: {id: string}
`

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("services/orders/contracts/catalog.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseReadsExchangesAndEvents(t *testing.T) {
	want := &File{
		Path: "services/orders/contracts/catalog.yaml", Consumer: "orders", Provider: "catalog",
		Operations: []Operation{
			{ID: "getProduct", Line: 2, Exchanges: []Exchange{
				{Line: 3, When: "there is the product tea", Path: map[string]string{"id": "tea"}, Header: map[string]string{"X-Tenant": "one"}, Status: 200, Reads: &Shape{
					Line: 8, Type: Object, Fields: []Field{
						{Name: "id", Shape: &Shape{Line: 8, Type: String}},
						{Name: "price", Shape: &Shape{Line: 9, Type: Object, Fields: []Field{
							{Name: "amount", Shape: &Shape{Line: 9, Type: String}},
							{Name: "currency", Shape: &Shape{Line: 9, Type: String, Values: []string{"EUR", "USD"}}},
						}}},
						{Name: "description", Optional: true, Shape: &Shape{Line: 10, Type: String}},
						{Name: "tags", Shape: &Shape{Line: 11, Type: Array, Items: &Shape{Line: 11, Type: String}}},
						{Name: "createdAt", Shape: &Shape{Line: 12, Type: Time}},
					},
				}},
				{Line: 13, Path: map[string]string{"id": "none"}, Status: 404},
			}},
			{ID: "order", Line: 14, Exchanges: []Exchange{{
				Line: 15, Query: map[string]string{"limit": "10", "ids": "a,b"}, Body: map[string]any{"quantity": 2.0, "tags": []any{"a"}}, Status: 201,
			}}},
		},
		Events: []Event{{Type: "product.created.v1", Line: 19, Reads: &Shape{Line: 19, Type: Object, Fields: []Field{{Name: "id", Shape: &Shape{Line: 19, Type: String}}}}}},
	}
	if diff := cmp.Diff(want, parse(t, sample)); diff != "" {
		t.Error(diff)
	}
}

func TestParseTellsEachFaultWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "line 1: the file is empty; write operations or events, or remove it",
		"[]":                               "line 1: the file must hold keys and values",
		"a: {":                             "line 1: the YAML cannot be read",
		"operation: {}":                    `line 1: unknown key "operation"; write operations or events`,
		"operations: {get: []}":            "line 1: get must hold a list of exchanges",
		"operations:\n  get:\n    - {}":    "line 3: an exchange of get has no status",
		"operations: {get: [{status: 7}]}": "line 1: status must be one of HTTP, such as 200",
		"operations: {get: [{status: 200, read: {}}]}":                   `line 1: unknown key "read"`,
		"operations: {get: [{status: 200, reads: {a: text}}]}":           "line 1: a must be one of string, time, integer",
		"operations: {get: [{status: 200, reads: {a: [string, time]}}]}": "line 1: a must name the type of its items",
		"operations: {get: [{status: 200, path: {id: [1]}}]}":            "line 1: path.id must be a text",
		"events: {a.b.v1: string}":                                       "line 1: a.b.v1 must hold keys and values",
		"events: {a.b.v1: {}, a.b.v1: {}}":                               "line 1: a.b.v1 stands twice",
	} {
		_, err := Parse("services/a/contracts/b.yaml", []byte(text))
		var faults Faults
		if !errors.As(err, &faults) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

const provider = `openapi: 3.0.3
info: {title: catalog, version: 1.0.0}
paths:
  /v1/products/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string, maxLength: 8}}
    put:
      operationId: putProduct
      parameters:
        - {name: version, in: query, required: true, schema: {type: integer, minimum: 1}}
        - {name: ids, in: query, schema: {type: array, maxItems: 2, items: {type: string}}}
        - {name: X-Tenant, in: header, schema: {type: string}}
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/NewProduct"}
      responses:
        "200":
          description: Done.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Product"}
        "204": {description: Nothing.}
        default:
          description: A problem.
          content:
            application/problem+json:
              schema: {type: object, required: [code], properties: {code: {type: string}}}
components:
  schemas:
    NewProduct:
      type: object
      required: [name]
      properties:
        name: {type: string}
        lines: {type: array, items: {type: object, required: [n], properties: {n: {type: integer}}}}
    Base:
      type: object
      required: [id]
      properties: {id: {type: string}}
    Product:
      allOf:
        - $ref: "#/components/schemas/Base"
        - type: object
          required: [price, size, state, tags, at, nothing, kind]
          properties:
            price: {type: object, required: [amount], properties: {amount: {type: string}, tax: {type: number}}}
            size: {type: integer}
            state: {type: string, enum: [draft, live]}
            tags: {type: array, items: {type: object, required: [name], properties: {name: {type: string}}}}
            at: {type: string, format: date-time}
            nothing: {type: string, nullable: true}
            note: {type: string}
            anything: {}
            kind:
              oneOf:
                - {type: object, required: [a, b], properties: {a: {type: string}, b: {type: string}}}
                - {type: object, required: [a], properties: {a: {type: string}, b: {type: string}, c: {type: string}}}
`

// exchange is a good one, with parts of it written anew.
func exchange(parts ...string) string {
	all := map[string]string{"path": "{id: tea}", "query": `{version: "1"}`, "body": "{name: Tea}", "status": "200"}
	for _, part := range parts {
		key, value, _ := strings.Cut(part, ": ")
		all[key] = value
	}
	var b strings.Builder
	b.WriteString("operations:\n  putProduct:\n    - ")
	for key, value := range all {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n      ", key, value)
		}
	}
	return b.String()
}

// breaches holds an expectation against the provider's contract.
func breaches(t *testing.T, contract, text string) []string {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	item := doc.Paths.Value("/v1/products/{id}")
	lines := []string{}
	for _, b := range parse(t, text).Operations[0].Exchanges[0].Check(item, item.Put) {
		lines = append(lines, b.Provider+"; it "+b.Consumer)
	}
	return lines
}

func TestWhatAConsumerReadsIsThere(t *testing.T) {
	for reads, want := range map[string][]string{
		"{}":                                       {},
		"{id: string, price: {amount: string}}":    {},
		"{size: number}":                           {},
		"{state: draft | live | dead}":             {},
		"{tags: [{name: string}]}":                 {},
		"{at: time}":                               {},
		"{at: string}":                             {},
		"{(note): string}":                         {},
		"{(nothing): string}":                      {},
		"{kind: {a: string, (b): string}}":         {},
		"{colour: string}":                         {"answers 200 without colour; it reads it"},
		"{(colour): string}":                       {"answers 200 without colour; it reads it"},
		"{price: {currency: string}}":              {"answers 200 without price.currency; it reads it"},
		"{note: string}":                           {"answers 200 with note that may be missing; it needs it"},
		"{nothing: string}":                        {"answers 200 with nothing that may be missing; it needs it"},
		"{price: {tax: number}}":                   {"answers 200 with price.tax that may be missing; it needs it"},
		"{size: string}":                           {"answers 200 with size of the type integer; it reads a string"},
		"{price: {(tax): integer}}":                {"answers 200 with price.tax of the type number; it reads an integer"},
		"{(note): time}":                           {"answers 200 with note of the type string; it reads a time"},
		"{price: string}":                          {"answers 200 with price of the type object; it reads a string"},
		"{(anything): string}":                     {"answers 200 with anything of the type no certain type; it reads a string"},
		"{tags: [string]}":                         {"answers 200 with tags[] of the type object; it reads a string"},
		"{tags: [{name: string, n: integer}]}":     {"answers 200 without tags[].n; it reads it"},
		"{state: draft | dead}":                    {"answers 200 with live as state; it knows only draft, dead"},
		"{id: a | b}":                              {"answers 200 with any text as id; it knows only a, b"},
		"{kind: {b: string}}":                      {"answers 200 with kind.b that may be missing; it needs it"},
		"{kind: {(c): string}}":                    {"answers 200 without kind.c; it reads it"},
		"[string]":                                 {"answers 200 with a body of the type object; it reads an array"},
		"{colour: string, size: string, id: time}": {"answers 200 without colour; it reads it", "answers 200 with size of the type integer; it reads a string", "answers 200 with id of the type string; it reads a time"},
	} {
		if diff := cmp.Diff(want, breaches(t, provider, exchange("reads: "+reads))); diff != "" {
			t.Errorf("%s: %s", reads, diff)
		}
	}
}

func TestWhatAConsumerSendsIsTaken(t *testing.T) {
	for name, test := range map[string]struct {
		parts []string
		want  []string
	}{
		"all is well":             {nil, []string{}},
		"a header":                {[]string{"headers: {x-tenant: one}"}, []string{}},
		"a list":                  {[]string{`query: {version: "1", ids: "a,b"}`}, []string{}},
		"another status":          {[]string{"status: 404", "reads: {code: string}"}, []string{}},
		"a path too long":         {[]string{"path: {id: chamomile}"}, []string{`refuses that as the path parameter id (maximum string length is 8); it sends "chamomile"`}},
		"no query":                {[]string{"query: "}, []string{"needs the query parameter version; it does not send it"}},
		"no number":               {[]string{`query: {version: one}`}, []string{`refuses that as the query parameter version (value must be an integer); it sends "one"`}},
		"too small a number":      {[]string{`query: {version: "0"}`}, []string{`refuses that as the query parameter version (number must be at least 1); it sends "0"`}},
		"too long a list":         {[]string{`query: {version: "1", ids: "a,b,c"}`}, []string{`refuses that as the query parameter ids (maximum number of items is 2); it sends "a,b,c"`}},
		"unknown query":           {[]string{`query: {version: "1", colour: red}`}, []string{"takes no query parameter colour; it sends it"}},
		"unknown header":          {[]string{`headers: {X-Other: red}`}, []string{"takes no header parameter x-other; it sends it"}},
		"no body":                 {[]string{"body: "}, []string{"needs a body; it sends none"}},
		"a field is missing":      {[]string{"body: {lines: []}"}, []string{`refuses a body: at /name: property "name" is missing; it sends it`}},
		"a field of a wrong type": {[]string{"body: {name: Tea, lines: [{n: one}]}"}, []string{"refuses a body: at /lines/0/n: value must be an integer; it sends it"}},
		"a field too many":        {[]string{"body: {name: Tea, colour: red, lines: [{n: 1, m: 2}]}"}, []string{"takes no colour in a body; it sends it", "takes no lines[].m in a body; it sends it"}},
		"nothing to read":         {[]string{"status: 204", "reads: {id: string}"}, []string{"answers 204 without JSON; it reads it"}},
	} {
		if diff := cmp.Diff(test.want, breaches(t, provider, exchange(test.parts...))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	without := strings.Replace(provider, "default:", `"599":`, 1)
	if diff := cmp.Diff([]string{"does not answer 404; it awaits it"}, breaches(t, without, exchange("status: 404"))); diff != "" {
		t.Error(diff)
	}
}

func TestEventIsHeldAgainstItsSchema(t *testing.T) {
	e := Event{Type: "a.b.v1", Reads: parse(t, "events: {a.b.v1: {id: string, n: integer}}").Events[0].Reads}
	schema := &openapi3.Schema{Type: &openapi3.Types{"object"}, Required: []string{"n"}, Properties: openapi3.Schemas{"n": openapi3.NewIntegerSchema().NewRef()}}
	got := e.Check(schema)
	if diff := cmp.Diff([]Breach{{Line: 1, Provider: "is told without id", Consumer: "reads it"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatchReadsAnswers(t *testing.T) {
	shape := parse(t, sample).Operations[0].Exchanges[0].Reads
	const good = `{"id": "tea", "price": {"amount": "1", "currency": "EUR"}, "tags": ["a"], "createdAt": "2026-01-02T03:04:05.678Z", "unread": 1}`
	for text, want := range map[string][]string{
		good: nil,
		strings.Replace(good, `"unread": 1`, `"description": "x"`, 1):  nil,
		strings.Replace(good, `"unread": 1`, `"description": null`, 1): nil,
		strings.Replace(good, `"unread": 1`, `"description": 1`, 1):    {"description is 1, and the consumer reads a string"},
		strings.Replace(good, `"id": "tea", `, ``, 1):                  {"id is missing"},
		strings.Replace(good, `"tea"`, `null`, 1):                      {"id is missing"},
		strings.Replace(good, `"amount": "1"`, `"amount": 1`, 1):       {"price.amount is 1, and the consumer reads a string"},
		strings.Replace(good, `"EUR"`, `"JPY"`, 1):                     {`price.currency is "JPY", which the consumer does not know`},
		strings.Replace(good, `["a"]`, `["a", {}]`, 1):                 {"tags[1] is {}, and the consumer reads a string"},
		strings.Replace(good, `["a"]`, `{}`, 1):                        {"tags is {}, and the consumer reads an array"},
		strings.Replace(good, `2026-01-02T03:04:05.678Z`, `today`, 1):  {`createdAt is "today", and the consumer reads a time`},
		`[]`: {"it is [], and the consumer reads an object"},
		`{`:  {"it is no JSON: unexpected end of JSON input"},
	} {
		if diff := cmp.Diff(want, shape.Match([]byte(text))); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	numbers := parse(t, "events: {a.b.v1: {i: integer, n: number, b: boolean}}").Events[0].Reads
	if got := numbers.Match([]byte(`{"i": 1, "n": 1.5, "b": false}`)); got != nil {
		t.Error(got)
	}
	if got := numbers.Match([]byte(`{"i": 1.5, "n": "1", "b": 0}`)); len(got) != 3 {
		t.Error(got)
	}
}
