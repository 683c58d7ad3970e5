package proof

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
)

// manifests are rendered documents by who reads them.
type manifests struct {
	istio       []config.Config
	services    []*corev1.Service
	deployments []*appsv1.Deployment
}

// rendered are the files of a platform that a cluster would be given.
var rendered = []string{"mesh/base/*.yaml", "services/*/deploy/*.yaml"}

// readManifests reads what scaffold rendered at the root.
func readManifests(root fs.FS) (*manifests, error) {
	m := &manifests{}
	for _, pattern := range rendered {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			return nil, fmt.Errorf("find what is rendered: %w", err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(root, file)
			if err != nil {
				return nil, fmt.Errorf("read what is rendered: %w", err)
			}
			if path.Base(file) == "kustomization.yaml" {
				continue
			}
			if err := m.add(string(text)); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return m, nil
}

// canaries adds the Deployments of the versions that the declarations try out, where they are not rendered.
func (m *manifests) canaries(d *declarations) {
	for _, s := range d.services {
		version := s.Traffic.Canary.Version
		name := s.Name + "-" + version
		if version == "" || slices.ContainsFunc(m.deployments, func(d *appsv1.Deployment) bool { return d.Name == name }) {
			continue
		}
		for _, d := range m.deployments {
			if d.Name == s.Name {
				canary := d.DeepCopy()
				canary.Name, canary.Spec.Template.Labels["version"] = name, version
				m.deployments = append(m.deployments, canary)
				break
			}
		}
	}
}

// add reads the documents of one file. Istio's are checked as its webhook would.
func (m *manifests) add(text string) error {
	istio, _, err := crd.ParseInputs(text)
	if err != nil {
		return fmt.Errorf("istiod would refuse it: %w", err)
	}
	m.istio = append(m.istio, istio...)
	for document := range strings.SplitSeq(text, "\n---\n") {
		var kind struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			return fmt.Errorf("read a document: %w", err)
		}
		switch kind.Kind {
		case "Service":
			s := &corev1.Service{}
			m.services, err = append(m.services, s), yaml.UnmarshalStrict([]byte(document), s)
		case "Deployment":
			d := &appsv1.Deployment{}
			m.deployments, err = append(m.deployments, d), yaml.UnmarshalStrict([]byte(document), d)
		}
		if err != nil {
			return fmt.Errorf("read a %s: %w", kind.Kind, err)
		}
	}
	return nil
}
