// Package object reads rendered Kubernetes YAML as a cluster would: each document strictly into the type of its kind, and for
// Istio's kinds also by the schema of the custom resource. What a cluster would silently drop or refuse is a problem here, with
// its place in the file.
//
//	objects, problems := object.Read(files)
//	for _, o := range objects {
//		if rule, ok := o.Spec.(*networking.VirtualService); ok { … o.At("spec", "http", 0, "timeout") … }
//	}
//
// Rules that a schema writes in CEL are not evaluated; package cluster has those of them that can occur here.
package object

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// Object is a document of a file that a cluster would be given.
type Object struct {
	File             string
	APIVersion, Kind string
	Namespace, Name  string
	// Spec is what Istio reads of one of its kinds: a *networking.VirtualService and so on. For Kubernetes' own kinds it is the
	// whole object, such as *appsv1.Deployment. It is nil for a custom resource of others, about which nothing is known here.
	Spec any

	node *yaml.Node
	json []byte
	// from is the place of what made the object, where it is not as it stands in its file.
	from spec.Position
}

// String names the object for a message.
func (o *Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name)
}

// At gives the place of a field by keys and indices, or of the nearest one around it that stands in the file.
func (o *Object) At(path ...any) spec.Position {
	if o.from.File != "" {
		return o.from
	}
	return place(o.File, o.node, path)
}

// Is reports whether the object is the one in this JSON, whose keys are sorted.
func (o *Object) Is(raw []byte) bool { return bytes.Equal(o.json, raw) }

// Made reads an object that something at from made of those in files, such as a kustomization with a patch.
func Made(raw []byte, from spec.Position) (*Object, spec.Problems) {
	o := &Object{File: from.File, from: from, node: &yaml.Node{}}
	var n yaml.Node
	if err := yaml.Unmarshal(raw, &n); err == nil && len(n.Content) > 0 {
		o.node = n.Content[0]
	}
	return o, o.decode()
}

func place(file string, n *yaml.Node, path []any) spec.Position {
	at := n
	for _, part := range path {
		next := child(at, part)
		if next == nil {
			break
		}
		at = next
	}
	return spec.Position{File: file, Line: max(at.Line, 1), Column: max(at.Column, 1)}
}

func child(n *yaml.Node, part any) *yaml.Node {
	switch part := part.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && part < len(n.Content) {
			return n.Content[part]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == part {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// remedy is that of a document that no cluster takes.
const remedy = "correct the template; run scaffold sync if the file was edited"

// Contents is what is read of the YAML files of some folders.
type Contents struct {
	Objects        []*Object
	Kustomizations []*Kustomization
	// Values are documents that are no objects, such as those for a chart, by file.
	Values map[string]*yaml.Node
}

// Read reads the YAML files. Those that are no YAML, or hold documents that are not as their type says, are problems.
func Read(files []plan.File) (Contents, spec.Problems) {
	all := Contents{Values: map[string]*yaml.Node{}}
	var problems spec.Problems
	for _, f := range files {
		documents, err := split(f.Content)
		if err != nil {
			problems.Add(spec.Position{File: f.Path, Line: 1, Column: 1}, remedy, "the rendered YAML cannot be read: %v", err)
			continue
		}
		for _, n := range documents {
			problems = append(problems, all.add(f.Path, n)...)
		}
	}
	slices.SortFunc(all.Kustomizations, func(a, b *Kustomization) int { return strings.Compare(a.File, b.File) })
	return all, problems
}

func split(content []byte) ([]*yaml.Node, error) {
	var all []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var n yaml.Node
		if err := decoder.Decode(&n); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode {
			all = append(all, n.Content[0])
		}
	}
}

func (c *Contents) add(file string, n *yaml.Node) (problems spec.Problems) {
	wrong := func(err error, path ...any) {
		problems.Add(place(file, n, path), remedy, "%v", err)
	}
	var head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
	}
	if err := n.Decode(&head); err != nil {
		wrong(err)
		return problems
	}
	switch {
	case IsKustomization(file) || strings.HasPrefix(head.APIVersion, "kustomize.config.k8s.io/"):
		k, err := newKustomization(file, n)
		if err != nil {
			wrong(err)
		}
		c.Kustomizations = append(c.Kustomizations, k)
	case head.APIVersion == "" && head.Kind == "":
		c.Values[file] = n
	case strings.HasPrefix(head.APIVersion, "kind.x-k8s.io/"): // how a cluster is made, not what it is given
	default:
		o := &Object{File: file, node: n}
		problems = o.decode()
		c.Objects = append(c.Objects, o)
	}
	return problems
}

// decode reads the document into the type of its kind.
func (o *Object) decode() (problems spec.Problems) {
	raw, err := asJSON(o.node)
	if err != nil {
		problems.Add(o.At(), remedy, "%s: %v", o.Kind, err)
		return problems
	}
	o.json = raw
	var head struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if err := json.Unmarshal(raw, &head); err == nil {
		o.APIVersion, o.Kind, o.Name, o.Namespace = head.APIVersion, head.Kind, head.Metadata.Name, head.Metadata.Namespace
	}
	id := o.APIVersion + " " + o.Kind
	if newSpec, known := istioKinds[id]; known {
		if o.Spec, err = decodeIstio(raw, newSpec()); err != nil {
			problems.Add(o.At("spec"), remedy, "%s: %v", o, err)
		}
		return append(problems, o.schema(id)...)
	}
	newObject, known := kubernetesKinds[id]
	if !known && foreign(o.APIVersion) {
		return nil
	}
	if !known {
		problems.Add(o.At("kind"), remedy, "there is no kind %s of %s among those that are known here", o.Kind, o.APIVersion)
		return problems
	}
	if o.Spec, err = decodeKubernetes(raw, newObject()); err != nil {
		problems.Add(o.At("spec"), remedy, "%s: %v", o, err)
	}
	return problems
}

// asJSON refuses what YAML allows and an object must not have: a key twice, or one that is no text.
func asJSON(n *yaml.Node) ([]byte, error) {
	var value map[string]any
	if err := n.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}
