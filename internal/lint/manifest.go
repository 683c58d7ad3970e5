package lint

import (
	"bytes"
	"errors"
	"io"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// word is a scalar of a manifest that knows its place.
type word struct {
	text         string
	line, column int
}

// UnmarshalYAML keeps the scalar as it is written: ports are numbers in one place and names in another.
func (w *word) UnmarshalYAML(n *yaml.Node) error {
	*w = word{n.Value, n.Line, n.Column}
	return nil
}

// labels are a mapping of words.
type labels map[string]word

// manifest is what the checks look at of any Kubernetes object; the fields of all kinds lie side by side.
type manifest struct {
	Kind     word `yaml:"kind"`
	Metadata struct {
		Name word `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		// of a Deployment
		Template struct {
			Metadata struct {
				Labels labels `yaml:"labels"`
			} `yaml:"metadata"`
			Spec pod `yaml:"spec"`
		} `yaml:"template"`
		// of a Deployment and a PodDisruptionBudget {matchLabels: …}, and of a Service as it is
		Selector yaml.Node `yaml:"selector"`
		// of a Service
		Ports []port `yaml:"ports"`
		// of a HorizontalPodAutoscaler
		Target struct {
			Kind word `yaml:"kind"`
			Name word `yaml:"name"`
		} `yaml:"scaleTargetRef"`
		Min word `yaml:"minReplicas"`
		Max word `yaml:"maxReplicas"`
		// of a NetworkPolicy
		Pods struct {
			Match labels `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		Ingress []struct {
			Ports []port `yaml:"ports"`
		} `yaml:"ingress"`
	} `yaml:"spec"`
	// of a Kustomization
	Resources []word `yaml:"resources"`
	Patches   []struct {
		Path word `yaml:"path"`
	} `yaml:"patches"`
	Generators []struct {
		Files []word `yaml:"files"`
	} `yaml:"configMapGenerator"`

	file string
	line int
}

type pod struct {
	Account    word        `yaml:"serviceAccountName"`
	Containers []container `yaml:"containers"`
	Init       []container `yaml:"initContainers"`
}

type container struct {
	Name      word   `yaml:"name"`
	Ports     []port `yaml:"ports"`
	Liveness  *probe `yaml:"livenessProbe"`
	Readiness *probe `yaml:"readinessProbe"`
	Startup   *probe `yaml:"startupProbe"`
}

type probe struct {
	Get struct {
		Path word `yaml:"path"`
		Port word `yaml:"port"`
	} `yaml:"httpGet"`
}

type port struct {
	Name      word `yaml:"name"`
	Port      word `yaml:"port"`
	Target    word `yaml:"targetPort"`
	Container word `yaml:"containerPort"`
}

// at gives the place of a word, or of the manifest when the word is absent.
func (m *manifest) at(w word) spec.Position {
	if w.line == 0 {
		return spec.Position{File: m.file, Line: m.line, Column: 1}
	}
	return spec.Position{File: m.file, Line: w.line, Column: w.column}
}

// match gives the labels that the manifest selects pods by.
func (m *manifest) match() labels {
	var selected struct {
		Match labels `yaml:"matchLabels"`
	}
	if m.Kind.text == "Service" {
		_ = m.Spec.Selector.Decode(&selected.Match) // what is no mapping selects nothing, and is reported so
		return selected.Match
	}
	if m.Kind.text == "NetworkPolicy" {
		return m.Spec.Pods.Match
	}
	_ = m.Spec.Selector.Decode(&selected)
	return selected.Match
}

// deployment is the rendered deploy folder of one service.
type deployment struct {
	service   *spec.Service
	files     map[string]bool // by path
	manifests []*manifest
	kustomize *manifest
	problems  spec.Problems
}

// manifests checks every service of which files were rendered into its deploy folder.
func manifests(m *spec.Model, files []plan.File) spec.Problems {
	folders := map[string][]plan.File{}
	nested := map[string][]string{} // folders in them that can be listed
	for _, f := range files {
		dir := path.Dir(f.Path)
		if path.Base(dir) == "deploy" {
			folders[path.Dir(dir)] = append(folders[path.Dir(dir)], f)
		}
		if deploy := path.Dir(dir); path.Base(deploy) == "deploy" && path.Base(f.Path) == "kustomization.yaml" {
			nested[path.Dir(deploy)] = append(nested[path.Dir(deploy)], dir)
		}
	}
	found := make([]spec.Problems, len(m.Services))
	m.Each(func(i int, s *spec.Service) {
		if rendered := folders[s.Dir]; rendered != nil {
			d := &deployment{service: s, files: map[string]bool{}}
			d.read(rendered)
			for _, folder := range nested[s.Dir] {
				d.files[folder] = true
			}
			d.check()
			found[i] = d.problems
		}
	})
	var problems spec.Problems
	for _, p := range found {
		problems = append(problems, p...)
	}
	return problems
}

func (d *deployment) read(files []plan.File) {
	for _, f := range files {
		d.files[f.Path] = true
		switch name := path.Base(f.Path); {
		case !strings.HasSuffix(name, ".yaml") || strings.HasPrefix(name, "rules"):
		case name == "kustomization.yaml":
			if all := d.decode(f); len(all) > 0 {
				d.kustomize = all[0]
			}
		default:
			d.manifests = append(d.manifests, d.decode(f)...)
		}
	}
}

// decode reads every document of a file.
func (d *deployment) decode(f plan.File) []*manifest {
	var all []*manifest
	decoder := yaml.NewDecoder(bytes.NewReader(f.Content))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			return all
		}
		m := &manifest{file: f.Path, line: max(n.Line, 1)}
		if err == nil {
			err = n.Decode(m)
		}
		if err != nil {
			d.problems.Add(m.at(word{}), "correct the template", "the rendered YAML cannot be read: %v", err)
			return all
		}
		if m.Kind.text != "" {
			all = append(all, m)
		}
	}
}
