package object

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "make istio.json again, from the version of istio.io/api in go.mod")

// TestSchemasAreThoseOfIstio compares istio.json with what follows from the custom resources in istio.io/api.
func TestSchemasAreThoseOfIstio(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "istio.io/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "kubernetes", "customresourcedefinitions.gen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]any{"$comment": "Made from istio.io/api, kubernetes/customresourcedefinitions.gen.yaml: Copyright Istio Authors, Apache License 2.0. " +
		"Changed: only the specs of some kinds, as JSON Schemas, without descriptions and CEL rules, and closed to unknown fields."}
	for _, crd := range customResources(t, raw) {
		for _, version := range crd.Spec.Versions {
			id := crd.Spec.Group + "/" + version.Name + " " + crd.Spec.Names.Kind
			if istioKinds[id] != nil {
				made[id] = asJSONSchema(version.Schema.OpenAPI.Properties["spec"], true)
			}
		}
	}
	if len(made) != len(istioKinds)+1 {
		t.Errorf("%d schemas for %d kinds", len(made)-1, len(istioKinds))
	}
	want, err := json.MarshalIndent(made, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("istio.json", want, 0o600); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(schemas, want) {
		t.Error("istio.json is not of this version of istio.io/api: run go test ./internal/lint/object -run Schemas -update")
	}
}

type customResource struct {
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Schema struct {
				OpenAPI struct{ Properties map[string]any } `yaml:"openAPIV3Schema"`
			}
		}
	}
}

func customResources(t *testing.T, raw []byte) []customResource {
	t.Helper()
	var all []customResource
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var crd customResource
		if err := decoder.Decode(&crd); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, crd)
	}
}

// asJSONSchema makes a JSON Schema of a structural one. Outside of alternatives, which only restrict what is declared already, an
// object has no fields but those declared.
func asJSONSchema(value any, closed bool) any {
	switch value := value.(type) {
	case map[string]any:
		made := map[string]any{}
		for key, v := range value {
			switch {
			case key == "properties":
				properties := map[string]any{}
				for name, property := range v.(map[string]any) {
					properties[name] = asJSONSchema(property, closed)
				}
				made[key] = properties
			case slices.Contains([]string{"anyOf", "oneOf", "allOf", "not"}, key):
				made[key] = asJSONSchema(v, false)
			case key != "description" && key != "format" && key != "nullable" && !strings.HasPrefix(key, "x-kubernetes-"):
				made[key] = asJSONSchema(v, closed)
			}
		}
		_, open := made["additionalProperties"]
		if closed && made["properties"] != nil && !open && value["x-kubernetes-preserve-unknown-fields"] != true {
			made["additionalProperties"] = false
		}
		return made
	case []any:
		made := make([]any, len(value))
		for i, v := range value {
			made[i] = asJSONSchema(v, closed)
		}
		return made
	}
	return value
}
