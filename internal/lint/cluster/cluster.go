// Package cluster proves what a cluster would be given, all files together and without one: every document is of its type and
// its custom resource's schema (package object), every name in it leads to something that exists, and what the policies, routes and
// sidecars let through is exactly what the declarations say. It is not made from what the renderer made: it reads the YAML as
// the mesh would, and computes what is declared by itself, so that a fault in a template is found here. And so is what a person
// writes beside it: each environment is checked as kustomize builds it, with its patches and further resources.
//
//	files, err := cluster.Found(model, rendered, disk)
//	…
//	problems := cluster.Check(model, files)
//
// What only traffic can show is proven by mesh/proof. Files of some services only are for package lint: here they would leave
// callers without policies.
package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/trellis-mesh/trellis/internal/lint/object"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// syncAgain is the remedy for rendered files: a person seldom wrote what is wrong there.
const syncAgain = "run scaffold sync; when it stays, the template is at fault"

// Namespaces of the mesh itself. A policy in the root namespace holds in all.
const (
	rootNamespace    = "istio-system"
	gatewayNamespace = "istio-ingress"
	dataNamespace    = "data"
	observability    = "observability"
)

// cloudNativePG begins the apiVersion of CloudNativePG's objects.
const cloudNativePG = "postgresql.cnpg.io/"

// adminPort is where every service serves metrics and health.
const adminPort = 9090

// Check proves the files of a whole platform, for each of its environments as kustomize builds it. The problems are sorted by
// place; when documents cannot be read, there are only the problems of that.
func Check(m *spec.Model, files []plan.File) spec.Problems {
	t := newManifests(files)
	if len(t.given) == 0 {
		return nil // the platform has no service yet
	}
	if err := t.follow(); err != nil {
		t.problems.Add(spec.Position{}, "", "%v", err)
	}
	sources, problems := object.Read(t.applied())
	if problems = append(t.problems, problems...); len(problems) == 0 {
		c := &checks{model: m, manifests: t, sources: sources, folders: &sync.Map{}}
		if c.listed(); len(c.problems) == 0 {
			c.built()
		}
		problems = c.problems
	}
	problems.Sort()
	return problems
}

// built checks what the cluster of each environment is given, or what the files hold where there is no environment.
func (c *checks) built() {
	environments := c.environments()
	if len(environments) == 0 {
		c.view("", c.sources.Objects)
		return
	}
	told := map[spec.Problem]bool{}
	for _, environment := range environments {
		view := *c
		view.problems = nil
		if objects := view.build(environment); len(view.problems) == 0 {
			view.view(environment, objects)
		}
		for _, p := range view.problems {
			if !told[p] { // most of one environment is another's, too
				told[p] = true
				c.problems = append(c.problems, p)
			}
		}
	}
}

// view checks the objects of one cluster.
func (c *checks) view(environment string, objects []*object.Object) {
	c.environment, c.objects = environment, objects
	c.hosts, c.accounts, c.namespaces = map[string]*host{}, map[string]bool{}, map[string]bool{"kube-system": true}
	c.collect()
	c.identities()
	c.references()
	c.platform()
	c.pods()
	for _, s := range c.model.Services {
		c.declared(s)
	}
	c.gateway()
	c.stores()
}

// checks collects what is found.
type checks struct {
	model       *spec.Model
	manifests   *manifests
	sources     object.Contents // of all files
	folders     *sync.Map       // objects of folders that kustomize has built by themselves, by folder
	environment string          // its folder; empty when all files are looked at
	objects     []*object.Object
	workloads   []workload
	hosts       map[string]*host // by fully qualified name
	accounts    map[string]bool  // namespace/name
	namespaces  map[string]bool
	problems    spec.Problems
}

func (c *checks) add(at spec.Position, format string, args ...any) {
	remedy := syncAgain
	if f, known := c.manifests.all[at.File]; known && f.Class == plan.Once {
		remedy = "correct it there: scaffold sync leaves that file alone"
	}
	c.problems.Add(at, remedy, format, args...)
}

// workload is a group of pods.
type workload struct {
	namespace string
	labels    map[string]string
	ports     map[int]bool
}

// host is a name that requests can be sent to.
type host struct {
	ports   map[int]bool
	pods    map[string]string // the labels that the Service selects by; nil outside the cluster
	subsets map[string]bool
	in      string // namespace
}

// gatewayLabels are those of the gateway's pods.
var gatewayLabels = map[string]string{"app": "gateway", "istio": "ingress"}

// surroundings are what others install: Istio's charts, and the stores and telemetry of the environment.
var surroundings = []struct {
	workload
	account, host string
}{
	{workload{gatewayNamespace, gatewayLabels, numbers(80, 443)}, "gateway", ""},
	{workload{dataNamespace, map[string]string{"app": "postgres"}, numbers(5432)}, "postgres", "postgres"},
	{workload{dataNamespace, map[string]string{"app": "redis"}, numbers(6379)}, "redis", "redis"},
	{workload{dataNamespace, map[string]string{"app": "kafka"}, numbers(9092)}, "kafka", "kafka"},
	{workload{observability, map[string]string{"app": "collector"}, numbers(4317, 4318)}, "collector", "collector"},
	{workload{observability, map[string]string{"app": "prometheus"}, numbers(9090)}, "prometheus", "prometheus"},
}

func numbers(all ...int) map[int]bool {
	set := map[int]bool{}
	for _, n := range all {
		set[n] = true
	}
	return set
}

func fqdn(name, namespace string) string { return name + "." + namespace + ".svc.cluster.local" }

// collect notes what can be named: namespaces, accounts, pods, and hosts with their ports and subsets.
func (c *checks) collect() {
	for _, s := range surroundings {
		c.workloads = append(c.workloads, s.workload)
		c.accounts[s.namespace+"/"+s.account] = true
		if s.host != "" {
			c.hosts[fqdn(s.host, s.namespace)] = &host{ports: s.ports, pods: s.labels, subsets: map[string]bool{}, in: s.namespace}
		}
	}
	each(c, func(o *object.Object, _ *corev1.Namespace) { c.namespaces[o.Name] = true })
	each(c, func(o *object.Object, _ *corev1.ServiceAccount) { c.accounts[o.Namespace+"/"+o.Name] = true })
	each(c, func(o *object.Object, d *appsv1.Deployment) { c.podsOf(o, d.Spec.Template) })
	each(c, func(o *object.Object, d *appsv1.StatefulSet) { c.podsOf(o, d.Spec.Template) })
	each(c, func(o *object.Object, d *appsv1.DaemonSet) { c.podsOf(o, d.Spec.Template) })
	each(c, func(o *object.Object, j *batchv1.Job) { c.podsOf(o, j.Spec.Template) })
	each(c, func(o *object.Object, j *batchv1.CronJob) { c.podsOf(o, j.Spec.JobTemplate.Spec.Template) })
	each(c, func(o *object.Object, s *corev1.Service) {
		h := &host{ports: map[int]bool{}, pods: s.Spec.Selector, subsets: map[string]bool{}, in: o.Namespace}
		for _, port := range s.Spec.Ports {
			h.ports[int(port.Port)] = true
		}
		c.hosts[fqdn(o.Name, o.Namespace)] = h
	})
	for _, o := range c.objects {
		if o.Kind == "Cluster" && strings.HasPrefix(o.APIVersion, cloudNativePG) { // its operator makes a Service of that name
			name := o.Name + "-rw"
			c.hosts[fqdn(name, o.Namespace)] = &host{ports: numbers(5432), pods: map[string]string{"app": o.Name}, subsets: map[string]bool{}, in: o.Namespace}
		}
	}
	each(c, func(o *object.Object, e *networking.ServiceEntry) {
		for _, name := range e.Hosts {
			h := &host{ports: map[int]bool{}, subsets: map[string]bool{}, in: o.Namespace}
			for _, port := range e.Ports {
				h.ports[int(port.Number)] = true
			}
			c.hosts[name] = h
		}
	})
	each(c, func(_ *object.Object, r *networking.DestinationRule) {
		for _, subset := range r.Subsets {
			if h := c.hosts[r.Host]; h != nil {
				h.subsets[subset.Name] = true
			}
		}
	})
}

// podsOf notes those that are made from a template.
func (c *checks) podsOf(o *object.Object, template corev1.PodTemplateSpec) {
	w := workload{o.Namespace, template.Labels, map[int]bool{}}
	for _, container := range slices.Concat(template.Spec.InitContainers, template.Spec.Containers) {
		for _, port := range container.Ports {
			w.ports[int(port.ContainerPort)] = true
		}
	}
	c.workloads = append(c.workloads, w)
}

// each calls do for every object whose spec is a T.
func each[T any](c *checks, do func(o *object.Object, spec T)) {
	for _, o := range c.objects {
		if s, ok := o.Spec.(T); ok {
			do(o, s)
		}
	}
}

// identities checks that no two objects are the same one, and that their namespaces are there.
func (c *checks) identities() {
	seen := map[string]*object.Object{}
	for _, o := range c.objects {
		if o.Name == "" {
			c.add(o.At("metadata"), "the %s has no name", o.Kind)
			continue
		}
		id := identity(o)
		if other := seen[id]; other != nil {
			c.add(o.At("metadata", "name"), "the %s is in %s, too: one would overwrite the other", o, other.File)
		}
		seen[id] = o
		if o.Namespaced() && !c.namespaces[o.Namespace] {
			c.add(o.At("metadata", "namespace"), "the %s is in the namespace %q, which is not there: %s", o, o.Namespace, known(c.namespaces))
		}
	}
}

func known[V any](names map[string]V) string {
	return "there are " + strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

// principal is a service account as policies write it.
func (c *checks) principal(namespace, account string) string {
	return fmt.Sprintf("%s/ns/%s/sa/%s", c.model.Platform.TrustDomain, namespace, account)
}

func (c *checks) serviceHost(s *spec.Service) string {
	return fqdn(s.Name, c.model.Platform.Namespace)
}
