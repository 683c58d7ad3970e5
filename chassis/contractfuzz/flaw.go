package contractfuzz

import (
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// strange are texts of JSON that most schemas do not allow, and that some code trips over even where they do.
var strange = []string{
	`null`, `true`, `-1`, `0`, `1.5`, `1e400`, `-0.0`, `123456789012345678901234567890`, `9223372036854775808`, `0.1e-400`,
	`""`, `" "`, `"\u0000"`, `"a\u0000b"`, `"\ud800"`, "\"\xff\xfe\"", `"9999-12-31T23:59:60Z"`, `"../../etc/passwd"`, `"%00%ff"`,
	`"'; --"`, `"{{.}}${x}%s%n"`, `"\u202e\ufeff"`, `"-1"`, `"1e9"`, `"NaN"`, `"00000000-0000-0000-0000-000000000000"`,
	`[]`, `{}`, `[null]`, `{"":null}`, `{"__proto__":{"id":1}}`,
	`nul`, `01`, `"`, `{`, `[1,]`, `NaN`, `"\x"`, "\"\n\"", ``,
}

// flaw writes something in place of a value of the schema.
func (a *author) flaw(schema *openapi3.Schema) {
	const others = 8
	switch kind := a.below(len(strange) + others); {
	case kind < len(strange):
		a.raw(strange[kind])
	case kind == len(strange):
		a.raw(strings.Repeat("[", 9000) + strings.Repeat("]", 9000))
	case kind == len(strange)+1:
		a.raw(strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000))
	case kind == len(strange)+2:
		a.quote(strings.Repeat("x", 70_000))
	case kind == len(strange)+3:
		a.quote(a.choices.text(255))
	case kind == len(strange)+4:
		a.raw(a.choices.text(255))
	case kind == len(strange)+5:
		a.raw(strings.Repeat("9", 5000))
	default:
		a.beyond(schema, kind-len(strange)-6)
	}
}

// beyond writes a value that is one more or one less than the schema allows; of an object, one with a name too many, or twice.
func (a *author) beyond(schema *openapi3.Schema, which int) {
	switch {
	case len(schema.Properties) > 0:
		begin := len(a.out)
		a.object(schema)
		object := string(a.out[begin+1:])
		a.out = a.out[:begin]
		if which == 0 {
			a.raw(`{"unheardOf":{"a":[1]},` + object)
			return
		}
		a.raw(`{"` + slices.Min(slices.Collect(maps.Keys(schema.Properties))) + `":[],` + object)
	case schema.Type.Is(openapi3.TypeInteger), schema.Type.Is(openapi3.TypeNumber):
		low, high := bounds(schema)
		a.encode([]float64{low - 1, high + 1}[which])
	case schema.Type.Is(openapi3.TypeString) && schema.MaxLength != nil && which == 0:
		a.quote(strings.Repeat("x", int(*schema.MaxLength)+1)) //nolint:gosec // contracts have small numbers
	case schema.Type.Is(openapi3.TypeString) && schema.MinLength > 0:
		a.quote(strings.Repeat("x", int(schema.MinLength)-1)) //nolint:gosec // contracts have small numbers
	default:
		a.raw("{}")
	}
}
