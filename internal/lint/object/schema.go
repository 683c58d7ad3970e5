package object

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// schemas are those of the specs of Istio's custom resources, as JSON Schemas by apiVersion and kind. They are made from
// istio.io/api, kubernetes/customresourcedefinitions.gen.yaml (Copyright Istio Authors, Apache License 2.0), of the version in
// go.mod: see TestSchemasAreThoseOfIstio, which also makes them again.
//
//go:embed istio.json
var schemas []byte

var parsedSchemas = sync.OnceValues(func() (map[string]any, error) {
	var all map[string]any
	err := json.Unmarshal(schemas, &all)
	return all, err
})

// compiled are the schemas that have been used, by apiVersion and kind.
var compiled sync.Map

func schemaOf(id string) (*jsonschema.Schema, error) {
	if s, ok := compiled.Load(id); ok {
		return s.(*jsonschema.Schema), nil
	}
	all, err := parsedSchemas()
	if err != nil {
		return nil, err
	}
	if all[id] == nil {
		return nil, fmt.Errorf("there is no schema of %s", id)
	}
	c := jsonschema.NewCompiler()
	url := "istio:" + strings.ReplaceAll(id, " ", "/")
	if err := c.AddResource(url, all[id]); err != nil {
		return nil, err
	}
	s, err := c.Compile(url)
	if err == nil {
		compiled.Store(id, s)
	}
	return s, err
}

// schema holds the object's spec to the schema of its custom resource.
func (o *Object) schema(id string) (problems spec.Problems) {
	s, err := schemaOf(id)
	if err != nil {
		problems.Add(o.At(), remedy, "%s: %v", o, err)
		return problems
	}
	var value any
	if n := child(o.node, "spec"); n == nil {
		return nil // which decode has told
	} else if err := n.Decode(&value); err != nil {
		problems.Add(o.At("spec"), remedy, "%s: %v", o, err)
		return problems
	}
	var invalid *jsonschema.ValidationError
	if errors.As(s.Validate(value), &invalid) {
		for _, leaf := range leaves(invalid) {
			problems.Add(o.At(o.path(leaf.InstanceLocation)...), remedy, "%s: %s: %s", o,
				strings.Join(append([]string{"spec"}, leaf.InstanceLocation...), "."), leaf.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
		}
	}
	return problems
}

// leaves are what is wrong in the end. Of alternatives, each of which is wrong in its own way, it is that none fits.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf, *kind.Not:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// path is a schema's location as At takes it.
func (o *Object) path(location []string) []any {
	path := []any{"spec"}
	at := child(o.node, "spec")
	for _, part := range location {
		var key any = part
		if at != nil && child(at, part) == nil {
			if i, err := strconv.Atoi(part); err == nil {
				key = i
			}
		}
		path = append(path, key)
		if at != nil {
			at = child(at, key)
		}
	}
	return path
}
