package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// onLaptop are the environments of this repository that run on kind.
func onLaptop(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, name := range []string{"kind", "lab"} {
		if _, err := os.Stat(filepath.Join(repository, environmentDir(name))); err == nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatal("there is no environment for kind")
	}
	return names
}

// declaredObjects are what the environment's kustomization makes, and what the services' do.
func declaredObjects(t *testing.T, p *Platform) (environment, services []*unstructured.Unstructured) {
	t.Helper()
	environment, err := p.environmentObjects()
	if err != nil {
		t.Fatal(err)
	}
	if services, err = p.serviceObjects(); err != nil {
		t.Fatal(err)
	}
	return environment, services
}

func TestEnvironmentsOfThisRepositoryBuild(t *testing.T) {
	for _, name := range onLaptop(t) {
		t.Run(name, func(t *testing.T) {
			p := ours(t, name)
			objects, services := declaredObjects(t, p)
			seen := map[string]bool{}
			for _, o := range append(slices.Clone(objects), services...) {
				if seen[o.GetAPIVersion()+title(o)] {
					t.Errorf("%s is there twice", title(o))
				}
				seen[o.GetAPIVersion()+title(o)] = true
			}
			for _, s := range p.Model.Services {
				if !slices.ContainsFunc(services, func(o *unstructured.Unstructured) bool {
					return o.GetKind() == "Deployment" && o.GetLabels()["app"] == s.Name
				}) {
					t.Errorf("nothing runs %s", s.Name)
				}
			}
			for _, o := range services {
				if o.GetKind() == "HorizontalPodAutoscaler" {
					t.Errorf("%s: a laptop has no room for it", title(o))
				}
			}
		})
	}
}

// Every pod says what it needs, in images that are pinned, and all of it fits a laptop.
func TestPodsOnLaptopAreBounded(t *testing.T) {
	const processors, memory = "1.8", "5Gi"
	for _, name := range onLaptop(t) {
		t.Run(name, func(t *testing.T) {
			p := ours(t, name)
			objects, services := declaredObjects(t, p)
			var cpu, bytes resource.Quantity
			for _, o := range append(objects, services...) {
				containers(o, func(c map[string]any) {
					image, _ := c["image"].(string)
					if image != "auto" && (!strings.Contains(image[strings.LastIndexByte(image, '/')+1:], ":") || strings.HasSuffix(image, ":latest")) {
						t.Errorf("%s: the image %s is not pinned", title(o), image)
					}
					for _, kind := range []string{"requests", "limits"} {
						if text, _, _ := unstructured.NestedString(c, "resources", kind, "memory"); text == "" {
							t.Errorf("%s: the container %v has no %s of memory", title(o), c["name"], kind)
						}
					}
					if o.GetKind() != "Job" {
						add(&cpu, c, "cpu")
						add(&bytes, c, "memory")
					}
				})
			}
			if cpu.Cmp(resource.MustParse(processors)) > 0 || bytes.Cmp(resource.MustParse(memory)) > 0 {
				t.Errorf("all pods ask for %s processors and %s of memory; a laptop has %s and %s to give", &cpu, &bytes, processors, memory)
			}
		})
	}
}

func TestObjectsAreMadeInOrder(t *testing.T) {
	var objects []*unstructured.Unstructured
	for _, kind := range []string{"Job", "Deployment", "AuthorizationPolicy", "Secret", "Gateway", "ClusterRole", "StatefulSet", "CustomResourceDefinition", "ServiceAccount", "Service", "Namespace"} {
		o := &unstructured.Unstructured{}
		o.SetKind(kind)
		objects = append(objects, o)
	}
	inOrder(objects)
	var got []string
	for _, o := range objects {
		got = append(got, o.GetKind())
	}
	want := []string{"Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Secret", "AuthorizationPolicy", "Gateway", "Service", "Deployment", "StatefulSet", "Job"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestManifestsAreReadWhereTheyAre(t *testing.T) {
	p := small(t, Options{}, map[string]string{
		"mesh/environments/kind/kustomization.yaml": "kind: Kustomization\nresources: [../../base, ../../../observability]\n",
		"mesh/base/kustomization.yaml":              "kind: Kustomization\nresources: [one.yaml]\n",
		"mesh/base/one.yaml":                        "apiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n---\n---\n# empty\n",
		"observability/kustomization.yaml":          "kind: Kustomization\nresources: [two.yaml]\n",
		"observability/two.yaml":                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, namespace: one}\n",
		"mesh/proof/broken.yaml":                    "{",
	})
	objects, err := p.environmentObjects()
	if err != nil || len(objects) != 2 || title(objects[0]) != "Namespace one" || title(objects[1]) != "ConfigMap one/two" {
		t.Errorf("%v, %v", objects, err)
	}
	objects[0].SetName("changed") // by who asked, who has them for themselves
	if again, err := p.environmentObjects(); err != nil || len(again) != 2 || title(again[0]) != "Namespace one" {
		t.Errorf("again: %v, %v", again, err)
	}
	if services, err := p.serviceObjects(); err != nil || services != nil {
		t.Errorf("of a platform without services: %v, %v", services, err)
	}
	write(t, filepath.Join(p.Root, "mesh/base/kustomization.yaml"), "kind: Kustomization\nresources: [none.yaml]\n")
	_, err = p.environmentObjects()
	mustSay(t, err, "build the manifests", "none.yaml")
}

func TestConfigurationThatIsNotThere(t *testing.T) {
	p := small(t, Options{}, nil)
	_, err := New(Options{Root: p.Root, Model: p.Model, Environment: "moon"})
	mustSay(t, err, "there is no environment moon", "scaffold sync --restore")
	for text, want := range map[string]string{
		"kind: Cluster\n": "add extraPortMappings for the container ports 30080 and 30443",
		"nodes: [":        "kind-config.yaml: ",
		"node: []\n":      "kind-config.yaml: ", // a word that kind does not know
	} {
		write(t, filepath.Join(p.Root, ConfigFile), text)
		_, err := New(Options{Root: p.Root, Model: p.Model})
		mustSay(t, err, want)
	}
	if err := os.Remove(filepath.Join(p.Root, ConfigFile)); err != nil {
		t.Fatal(err)
	}
	_, err = New(Options{Root: p.Root, Model: p.Model})
	mustSay(t, err, "read how the cluster is made", "scaffold sync --restore writes kind-config.yaml again")
}

// A flag goes before the environment's variable, which goes before platform.yaml.
func TestWhereOptionsComeFrom(t *testing.T) {
	p := small(t, Options{}, map[string]string{"platform.yaml": "name: shop\nimages: {references: {node: \"node:declared\", base: \"base:declared\"}}\n"})
	if p.Environment != "kind" || p.NodeImage != "node:declared" || p.BaseImage != "base:declared" || p.Charts != "" {
		t.Errorf("declared: %+v", p.Options)
	}
	t.Setenv(NodeImageVariable, "node:variable")
	t.Setenv(BaseImageVariable, "base:variable")
	t.Setenv(ChartsVariable, "charts")
	q, err := New(Options{Root: p.Root, Model: p.Model, NodeImage: "node:flag"})
	if err != nil {
		t.Fatal(err)
	}
	if q.NodeImage != "node:flag" || q.BaseImage != "base:variable" || q.Charts != "charts" {
		t.Errorf("flag and variable: %+v", q.Options)
	}
}
