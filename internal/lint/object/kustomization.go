package object

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// Kustomization is a kustomization.yaml: what it leads to. What comes of it, kustomize itself tells (package cluster asks it).
type Kustomization struct {
	File       string
	Resources  []string
	Components []string
	// Inputs are the files, each by its place, that resources are changed or made with.
	Inputs []Input
	// Plain is set when it only lists resources, and what is applied is what their files hold.
	Plain bool

	node *yaml.Node
}

// Input is a file that a kustomization names for something else than to be applied as it is.
type Input struct {
	Path string // as it stands there
	At   spec.Position
}

// kustomizationFiles are the names that kustomize looks for in a folder.
var kustomizationFiles = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// IsKustomization reports whether kustomize takes a file for a kustomization by its name.
func IsKustomization(file string) bool { return slices.Contains(kustomizationFiles, path.Base(file)) }

// KustomizationsIn are the files that a folder's kustomization may be.
func KustomizationsIn(dir string) []string {
	var all []string
	for _, name := range kustomizationFiles {
		all = append(all, path.Join(dir, name))
	}
	return all
}

// At is as Object.At.
func (k *Kustomization) At(path ...any) spec.Position { return place(k.File, k.node, path) }

func newKustomization(file string, n *yaml.Node) (*Kustomization, error) {
	k := &Kustomization{File: file, Plain: true, node: n}
	type generator struct {
		Files, Envs []string
		Env         string
	}
	var fields struct {
		Resources, Components, Bases                               []string
		Crds, Configurations, Generators, Transformers, Validators []string
		Merge                                                      []string `yaml:"patchesStrategicMerge"`
		Patches                                                    []struct{ Path string }
		JSON                                                       []struct{ Path string } `yaml:"patchesJson6902"`
		Replacements                                               []struct{ Path string }
		ConfigMaps                                                 []generator `yaml:"configMapGenerator"`
		Secrets                                                    []generator `yaml:"secretGenerator"`
		OpenAPI                                                    struct{ Path string }
	}
	err := n.Decode(&fields)
	k.Resources, k.Components = append(fields.Resources, fields.Bases...), fields.Components
	add := func(name string, at ...any) {
		if name != "" && !strings.Contains(name, "\n") { // which is no name but the thing itself
			k.Inputs = append(k.Inputs, Input{name, k.At(at...)})
		}
	}
	for field, all := range map[string][]string{
		"crds": fields.Crds, "configurations": fields.Configurations, "generators": fields.Generators,
		"transformers": fields.Transformers, "validators": fields.Validators, "patchesStrategicMerge": fields.Merge,
	} {
		for i, name := range all {
			add(name, field, i)
		}
	}
	for field, all := range map[string][]struct{ Path string }{"patches": fields.Patches, "patchesJson6902": fields.JSON, "replacements": fields.Replacements} {
		for i, p := range all {
			add(p.Path, field, i, "path")
		}
	}
	for field, all := range map[string][]generator{"configMapGenerator": fields.ConfigMaps, "secretGenerator": fields.Secrets} {
		for i, g := range all {
			for j, name := range g.Files {
				add(name[strings.Index(name, "=")+1:], field, i, "files", j)
			}
			for j, name := range append(g.Envs, g.Env) {
				add(name, field, i, "envs", j)
			}
		}
	}
	add(fields.OpenAPI.Path, "openapi")
	for i := 0; i+1 < len(n.Content); i += 2 {
		k.Plain = k.Plain && slices.Contains([]string{"apiVersion", "kind", "metadata", "resources"}, n.Content[i].Value)
	}
	return k, err
}

// Changes gives the place of what changes or makes an object of that kind and name in a kustomization that is not plain: of the
// patch that names it, if there is one.
func (k *Kustomization) Changes(kind, name string) (at spec.Position, named bool) {
	for _, field := range []string{"patches", "patchesJson6902", "patchesStrategicMerge"} {
		list := child(k.node, field)
		for i := 0; list != nil && i < len(list.Content); i++ {
			var patch struct {
				Patch  string
				Target struct{ Kind, Name string }
			}
			text := list.Content[i].Value
			if list.Content[i].Decode(&patch) == nil && patch.Patch != "" {
				text = patch.Patch
			}
			var inline struct {
				Kind     string
				Metadata struct{ Name string }
			}
			_ = yaml.Unmarshal([]byte(text), &inline) // a list of operations names nothing
			if inline.Kind == kind && inline.Metadata.Name == name || patch.Target.Kind == kind && (patch.Target.Name == name || patch.Target.Name == "") {
				return k.At(field, i), true
			}
		}
	}
	return k.At(), false
}
