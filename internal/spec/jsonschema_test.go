package spec

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestSchemasFollowFromTheTypes(t *testing.T) {
	for _, file := range []struct {
		name, title string
		target      any
	}{
		{"platform", "platform.yaml: what all services of a platform share", Platform{}},
		{"service", "service.yaml: what a service serves, whom it calls, what it publishes, how good it must be", Service{}},
	} {
		t.Run(file.name, func(t *testing.T) {
			golden(t, filepath.Join("..", "..", SchemaDir, file.name+".schema.json"), schemaOf(t, file.title, file.target))
		})
	}
}

// schemaOf makes the JSON Schema of a declaration: the shape and the descriptions by reflection, the rules from the tags
// that the decoder goes by.
func schemaOf(t *testing.T, title string, target any) []byte {
	t.Helper()
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", Anonymous: true, DoNotReference: true, RequiredFromJSONSchemaTags: true,
		Mapper: func(typ reflect.Type) *jsonschema.Schema {
			if typ == durationType {
				return &jsonschema.Schema{Type: "string"}
			}
			return nil
		},
	}
	if err := r.AddGoComments("github.com/trellis-mesh/trellis/internal/spec", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	s := r.Reflect(target)
	// Draft 7 is the newest that every editor's YAML support knows.
	s.Version, s.Title, s.Description = "http://json-schema.org/draft-07/schema#", title, ""
	enrich(s, reflect.TypeOf(target), rules{})
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer // descriptions hold <type> and &, which need no escapes here
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	var ordered json.RawMessage = raw
	if err := encoder.Encode(ordered); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(plain.String()))
}

// enrich adds to the schema of a struct what the tags of its fields say.
func enrich(s *jsonschema.Schema, typ reflect.Type, outer rules) {
	for _, f := range declared(typ) {
		r := outer.inherit(f)
		property, _ := s.Properties.Get(f.Tag.Get("yaml"))
		property.Description = strings.Join(strings.Fields(property.Description), " ")
		if f.Tag.Get("required") == "true" {
			s.Required = append(s.Required, f.Tag.Get("yaml"))
		}
		enrichValue(property, f.Type, r)
		if example := f.Tag.Get("example"); example != "" && f.Type.Kind() == reflect.String {
			property.Examples = []any{example}
		}
	}
}

func enrichValue(s *jsonschema.Schema, typ reflect.Type, r rules) {
	switch {
	case typ == durationType:
		s.Pattern = durationPattern.String()
		if r.days() {
			s.Pattern = "^(" + unanchored(durationPattern.String()) + "|" + unanchored(daysPattern.String()) + ")$"
		}
		low, high, _ := strings.Cut(r.tag.Get("range"), "..")
		s.Description += " From " + low + " to " + high + "."
	case typ.Kind() == reflect.Pointer:
		enrichValue(s, typ.Elem(), r)
		return
	case typ.Kind() == reflect.Struct:
		enrich(s, typ, r)
		return
	case typ.Kind() == reflect.Map:
		enrichMap(s, typ, r)
		return
	case typ.Kind() == reflect.Slice:
		s.UniqueItems = true
		if r.tag.Get("required") == "true" {
			one := uint64(1)
			s.MinItems = &one
		}
		enrichValue(s.Items, typ.Elem(), rules{is: r.is})
		return
	case typ.Kind() == reflect.String:
		enrichText(s, r)
	default:
		low, high, _ := strings.Cut(r.tag.Get("range"), "..")
		s.Minimum, s.Maximum = json.Number(low), json.Number(high)
	}
	if r.standard != "" {
		s.Default = r.standard
		if number, err := strconv.ParseFloat(r.standard, 64); err == nil && typ.Kind() != reflect.String {
			s.Default = number
		}
	}
}

func enrichMap(s *jsonschema.Schema, typ reflect.Type, r rules) {
	if typ.Elem().Kind() != reflect.String {
		enrichValue(s.AdditionalProperties, typ.Elem(), rules{})
		s.PropertyNames = &jsonschema.Schema{}
		enrichText(s.PropertyNames, r)
		return
	}
	s.Properties = jsonschema.NewProperties()
	for key := range strings.SplitSeq(r.tag.Get("keys"), ",") {
		value := &jsonschema.Schema{Type: "string"}
		if r.is == "version" {
			value.Default = pinned[key]
		}
		enrichText(value, rules{is: r.is})
		s.Properties.Set(key, value)
	}
	s.AdditionalProperties = jsonschema.FalseSchema
}

func enrichText(s *jsonschema.Schema, r rules) {
	for _, value := range r.enum() {
		s.Enum = append(s.Enum, value)
	}
	if k, ok := kinds[r.is]; ok {
		most := uint64(k.most)
		s.Pattern, s.MaxLength = k.pattern.String(), &most
		if k.numeric {
			s.Type, s.AnyOf = "", []*jsonschema.Schema{{Type: "string"}, {Type: "number"}}
		}
	}
}

func unanchored(pattern string) string {
	return strings.TrimSuffix(strings.TrimPrefix(pattern, "^("), ")$")
}

// validate checks a YAML text against a committed schema.
func validate(t *testing.T, name string, raw []byte) error {
	t.Helper()
	compiler := validator.NewCompiler()
	schema, err := compiler.Compile(filepath.Join("..", "..", SchemaDir, name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := validator.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(instance)
}

func TestCommittedDeclarationsAgreeWithTheSchemas(t *testing.T) {
	files := map[string]string{"../../platform.yaml": "platform"}
	services, err := filepath.Glob("../../services/*/service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range services {
		files[file] = "service"
	}
	for file, name := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, name, raw); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !bytes.HasPrefix(raw, []byte("# yaml-language-server: $schema=")) {
			t.Errorf("%s: the first line does not point editors to the schema", file)
		}
	}
}

func TestSchemaAndDecoderAgree(t *testing.T) {
	for name, text := range map[string]string{
		"whole":          wholeService,
		"seed":           string(NewService("billing", Options{Database: "postgres", Calls: []CallOption{{"catalog", []string{"getProduct"}}}, Externals: []External{{Host: "api.psp.example"}}})),
		"days":           "name: a\nslo: {window: 30d}",
		"cores":          "name: a\nrun: {cpu: {request: 1, limit: 2.5}}",
		"unknown key":    "name: a\nfoo: b",
		"nested unknown": "name: a\nhttp: {prot: 1}",
		"no name":        "owner: a",
		"bad name":       "name: A_b",
		"bad enum":       "name: a\ncache: {kind: memcached}",
		"bad port":       "name: a\nhttp: {port: 99999}",
		"no unit":        "name: a\nhttp: {timeout: 800}",
		"hours and days": "name: a\nhttp: {timeout: 1d}",
		"twice":          "name: a\ningress: [a, a]",
		"bad callee":     "name: a\ncalls: {B: {operations: [a]}}",
		"no operation":   "name: a\ncalls: {b: {operations: []}}",
		"bad event":      "name: a\nevents: {publishes: [order]}",
		"bad memory":     "name: a\nrun: {memory: {request: 64MB}}",
		"text as number": "name: a\nowner: 12",
	} {
		t.Run(name, func(t *testing.T) {
			_, decoded := ParseService("services/a/service.yaml", []byte(text))
			validated := validate(t, "service", []byte(text))
			if (decoded == nil) != (validated == nil) {
				t.Errorf("the decoder says %v, the schema says %v", decoded, validated)
			}
		})
	}
}
