package lint

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// syncAgain is the remedy for rendered files: a person seldom wrote what is wrong there.
const syncAgain = "run scaffold sync; when it stays, the template is at fault"

// sidecarPorts are those of the mesh's sidecar, which is injected later: merged and Envoy's own metrics.
var sidecarPorts = []string{"15020", "15090"}

// Where every service answers probes.
const (
	livePath  = "/health/live"
	readyPath = "/health/ready"
)

func (d *deployment) check() {
	for _, m := range d.manifests {
		switch m.Kind.text {
		case "Deployment":
			d.pods(m)
		case "Service":
			d.selects(m)
			for _, p := range m.Spec.Ports {
				d.resolves(m, targetOf(p), "the Service's port "+p.Name.text)
			}
			d.named(m)
		case "HorizontalPodAutoscaler":
			d.scales(m)
		case "PodDisruptionBudget":
			d.selects(m)
		case "NetworkPolicy":
			d.selects(m)
			for _, rule := range m.Spec.Ingress {
				for _, p := range rule.Ports {
					if !slices.Contains(sidecarPorts, p.Port.text) {
						d.resolves(m, p.Port, "the NetworkPolicy")
					}
				}
			}
		}
	}
	if all := d.deployments(); len(all) > 0 && d.find("Service", d.service.Name) == nil {
		d.problems.Add(all[0].at(all[0].Kind), syncAgain, "there is no Service named %s, by which callers reach these pods", d.service.Name)
	}
	d.kustomization()
}

// pods checks a Deployment in itself, and against the declaration.
func (d *deployment) pods(m *manifest) {
	template := m.Spec.Template
	d.subset(m, m.match(), template.Metadata.Labels, "its own pods")
	d.account(m, template.Spec.Account)
	seen := map[string]bool{}
	for _, c := range slices.Concat(template.Spec.Containers, template.Spec.Init) {
		for _, p := range c.Ports {
			for _, key := range []string{p.Name.text, p.Container.text} {
				if key != "" && seen[key] {
					d.problems.Add(m.at(p.Container), syncAgain, "the port %s stands twice in the pod", key)
				}
				seen[key] = true
			}
		}
	}
	for _, c := range template.Spec.Containers {
		d.probes(m, c)
	}
	d.declaredPorts(m)
}

// account checks that the pods have the identity that policies know the service by.
func (d *deployment) account(m *manifest, account word) {
	switch {
	case account.text == "":
		d.problems.Add(m.at(m.Kind), syncAgain, "the Deployment names no service account, so the mesh cannot tell %s from others", d.service.Name)
	case account.text != d.service.Name:
		d.problems.Add(m.at(account), syncAgain, "the Deployment runs as the service account %s, but policies know the service as %s", account.text, d.service.Name)
	case d.find("ServiceAccount", account.text) == nil:
		d.problems.Add(m.at(account), syncAgain, "the Deployment runs as the service account %s, which is not there", account.text)
	}
}

// declaredPorts checks that the API and the admin server can be reached where service.yaml says.
func (d *deployment) declaredPorts(m *manifest) {
	for _, want := range []struct {
		name   string
		number int
	}{{"http", d.service.HTTP.Port}, {"admin", adminPort}} {
		got, ok := portNamed(m, want.name)
		switch {
		case !ok:
			d.problems.Add(m.at(m.Kind), syncAgain, "the Deployment has no port named %s", want.name)
		case got.text != strconv.Itoa(want.number):
			d.problems.Add(m.at(got), syncAgain, "the port %s is %s, but %s listens on %d", want.name, got.text, d.service.Name, want.number)
		}
	}
}

func (d *deployment) probes(m *manifest, c container) {
	for _, p := range []struct {
		name  string
		probe *probe
		paths []string
	}{{"liveness", c.Liveness, []string{livePath}}, {"readiness", c.Readiness, []string{readyPath}}, {"startup", c.Startup, []string{livePath, readyPath}}} {
		if p.probe == nil || p.probe.Get.Path.text == "" {
			continue
		}
		get := p.probe.Get
		if !slices.Contains(p.paths, get.Path.text) {
			d.problems.Add(m.at(get.Path), syncAgain, "the %s probe asks for %s, but services answer at %s", p.name, get.Path.text, strings.Join(p.paths, " and "))
		}
		if !slices.ContainsFunc(c.Ports, func(p port) bool { return p.Name.text == get.Port.text || p.Container.text == get.Port.text }) {
			d.problems.Add(m.at(get.Port), syncAgain, "the %s probe asks the port %s, which the container %s does not have", p.name, get.Port.text, c.Name.text)
		}
	}
}

// find gives the manifest of that kind and name.
func (d *deployment) find(kind, name string) *manifest {
	for _, m := range d.manifests {
		if m.Kind.text == kind && m.Metadata.Name.text == name {
			return m
		}
	}
	return nil
}

// deployments gives the manifests that make pods.
func (d *deployment) deployments() []*manifest {
	return slices.DeleteFunc(slices.Clone(d.manifests), func(m *manifest) bool { return m.Kind.text != "Deployment" })
}

// selects checks that a manifest selects the pods of some Deployment.
func (d *deployment) selects(m *manifest) {
	all := d.deployments()
	for _, target := range all {
		if missing(m.match(), target.Spec.Template.Metadata.Labels) == "" && len(m.match()) > 0 {
			return
		}
	}
	if len(all) > 0 {
		d.subset(m, m.match(), all[0].Spec.Template.Metadata.Labels, "the pods of "+all[0].Metadata.Name.text)
	}
}

// subset notes a label that the selector wants and the pods do not have.
func (d *deployment) subset(m *manifest, selector, pods labels, whose string) {
	if len(selector) == 0 {
		d.problems.Add(m.at(m.Kind), syncAgain, "the %s %s selects nothing", m.Kind.text, m.Metadata.Name.text)
		return
	}
	if key := missing(selector, pods); key != "" {
		d.problems.Add(m.at(selector[key]), syncAgain, "the %s %s selects %s: %s, but %s do not have that label", m.Kind.text, m.Metadata.Name.text, key, selector[key].text, whose)
	}
}

// missing gives the first label of the selector that the pods lack, or "".
func missing(selector, pods labels) string {
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		if label, ok := pods[key]; !ok || label.text != selector[key].text {
			return key
		}
	}
	return ""
}

func targetOf(p port) word {
	if p.Target.text == "" {
		return p.Port
	}
	return p.Target
}

// resolves checks that some container has the port, by name or by number.
func (d *deployment) resolves(m *manifest, target word, who string) {
	all := d.deployments()
	for _, deployment := range all {
		for _, c := range slices.Concat(deployment.Spec.Template.Spec.Containers, deployment.Spec.Template.Spec.Init) {
			for _, p := range c.Ports {
				if target.text == p.Name.text || target.text == p.Container.text {
					return
				}
			}
		}
	}
	if len(all) > 0 {
		d.problems.Add(m.at(target), syncAgain, "%s leads to the port %s, which no container has", who, target.text)
	}
}

// named checks that the Service has the port that callers and the mesh go by.
func (d *deployment) named(m *manifest) {
	if m.Metadata.Name.text == d.service.Name && !slices.ContainsFunc(m.Spec.Ports, func(p port) bool { return p.Name.text == "http" }) {
		d.problems.Add(m.at(m.Kind), syncAgain, "the Service has no port named http, so the mesh would not read its requests")
	}
}

// portNamed gives the number of the pod's port of that name.
func portNamed(m *manifest, name string) (word, bool) {
	for _, c := range m.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name.text == name {
				return p.Container, true
			}
		}
	}
	return word{}, false
}

// scales checks an autoscaler's target and bounds.
func (d *deployment) scales(m *manifest) {
	target := m.Spec.Target
	if d.find(target.Kind.text, target.Name.text) == nil {
		d.problems.Add(m.at(target.Name), syncAgain, "the autoscaler scales the %s %s, which is not there", target.Kind.text, target.Name.text)
	}
	replicas := d.service.Run.Replicas
	if m.Spec.Min.text != strconv.Itoa(replicas.Min) || m.Spec.Max.text != strconv.Itoa(replicas.Max) {
		d.problems.Add(m.at(m.Spec.Min), syncAgain, "the autoscaler runs %s to %s replicas, but run.replicas says %d to %d", m.Spec.Min.text, m.Spec.Max.text, replicas.Min, replicas.Max)
	}
}

// kustomization checks that what it lists is there, and that what is there is listed.
func (d *deployment) kustomization() {
	if d.kustomize == nil {
		return
	}
	k, dir := d.kustomize, path.Dir(d.kustomize.file)
	listed := map[string]bool{}
	entries := slices.Clone(k.Resources)
	for _, p := range k.Patches {
		if p.Path.text != "" {
			entries = append(entries, p.Path)
		}
	}
	for _, g := range k.Generators {
		for _, f := range g.Files {
			_, name, renamed := strings.Cut(f.text, "=")
			if renamed {
				f.text = name
			}
			entries = append(entries, f)
		}
	}
	for _, entry := range entries {
		file := path.Join(dir, entry.text)
		if listed[file] {
			d.problems.Add(k.at(entry), syncAgain, "kustomization.yaml lists %s twice", entry.text)
		} else if !d.files[file] {
			d.problems.Add(k.at(entry), syncAgain, "kustomization.yaml lists %s, which is not there", entry.text)
		}
		listed[file] = true
	}
	d.unlisted(listed)
}

func (d *deployment) unlisted(listed map[string]bool) {
	reported := map[string]bool{}
	for _, m := range d.manifests {
		if !listed[m.file] && !reported[m.file] {
			reported[m.file] = true
			d.problems.Add(spec.Position{File: m.file, Line: 1, Column: 1}, syncAgain, "kustomization.yaml does not list %s, so it would not be deployed", path.Base(m.file))
		}
	}
}
