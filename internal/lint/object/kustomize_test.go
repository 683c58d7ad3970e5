package object

import (
	iofs "io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/trellis-mesh/trellis/internal/plan"
)

const root = "../../.."

// TestEnvironmentsBuild builds what a cluster is given, as kustomize does, and holds every object to its type and schema.
func TestEnvironmentsBuild(t *testing.T) {
	folders := []string{"mesh/environments/kind", "mesh/environments/lab", "mesh/environments/production"}
	services, err := filepath.Glob(filepath.Join(root, "services/*/deploy"))
	if err != nil || len(services) == 0 {
		t.Fatalf("services: %v, %v", services, err)
	}
	for _, dir := range services {
		folder, err := filepath.Rel(root, dir)
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, filepath.ToSlash(folder))
	}
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) { build(t, filesys.MakeFsOnDisk(), filepath.Join(root, folder)) })
	}
	components, err := filepath.Glob(filepath.Join(root, "mesh/environments/production/components/*/kustomization.yaml"))
	if err != nil || len(components) == 0 {
		t.Fatalf("components: %v, %v", components, err)
	}
	for _, file := range components {
		dir, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.ToSlash(dir)
		t.Run(dir, func(t *testing.T) { build(t, withComponent(t, dir), "built") })
	}
	t.Run("a service on kind", func(t *testing.T) {
		fs := filesys.MakeFsInMemory()
		for _, file := range []string{
			"services/catalog/deploy/kustomization.yaml", "services/catalog/deploy/workload.yaml", "services/catalog/deploy/mesh.yaml",
			"services/catalog/deploy/migrate.yaml", "services/catalog/deploy/observability/kustomization.yaml",
			"services/catalog/deploy/observability/rules.yaml", "services/catalog/deploy/observability/dashboard.json",
			"mesh/environments/kind/service/kustomization.yaml",
		} {
			content, err := os.ReadFile(filepath.Join(root, file))
			if err == nil {
				err = fs.WriteFile(file, content)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		text := "resources: [../services/catalog/deploy]\ncomponents: [../mesh/environments/kind/service]\n"
		if err := fs.WriteFile("kind/kustomization.yaml", []byte(text)); err != nil {
			t.Fatal(err)
		}
		build(t, fs, "kind")
	})
}

// withComponent has the base of the mesh, what watches the platform, and a kustomization in the folder built with one component on top.
func withComponent(t *testing.T, component string) filesys.FileSystem {
	t.Helper()
	tree, fs := os.DirFS(root), filesys.MakeFsInMemory()
	for _, dir := range []string{"mesh/base", "observability", component} {
		files := 0
		err := iofs.WalkDir(tree, dir, func(file string, e iofs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			files++
			content, err := iofs.ReadFile(tree, file)
			if err != nil {
				return err
			}
			return fs.WriteFile(file, content)
		})
		if err != nil || files < 2 {
			t.Fatalf("%s has %d files, %v", dir, files, err)
		}
	}
	text := "resources: [../mesh/base]\ncomponents: [../" + component + "]\n"
	if err := fs.WriteFile("built/kustomization.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return fs
}

func build(t *testing.T, fs filesys.FileSystem, dir string) []*Object {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	contents, problems := Read([]plan.File{{Path: "built.yaml", Content: text}})
	for _, p := range problems {
		t.Error(p)
	}
	if len(contents.Objects) != built.Size() || built.Size() < 4 {
		t.Errorf("%d objects were built, %d read", built.Size(), len(contents.Objects))
	}
	return contents.Objects
}

// TestSidecarsKnowWhatPrometheusScrapesAsHTTP wants a Service to declare, as HTTP, each port in observability/ that Prometheus scrapes by
// mutual TLS. A sidecar takes any other port for TCP, where a rule with methods and paths lets nobody in.
func TestSidecarsKnowWhatPrometheusScrapesAsHTTP(t *testing.T) {
	scraped := scrapes(t)
	for _, test := range []struct {
		name  string
		fs    filesys.FileSystem
		dir   string
		ports []string // that are scraped, by the label app
	}{
		{"on a laptop", filesys.MakeFsOnDisk(), filepath.Join(root, "observability"),
			[]string{"alertmanager http", "collector metrics", "collector span-metrics", "loki http"}},
		{"in production", withComponent(t, "mesh/environments/production/components/observability"), "built",
			[]string{"alertmanager http", "collector metrics", "collector span-metrics", "jaeger metrics", "loki http"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := map[string]bool{}
			objects := build(t, test.fs, test.dir)
			for _, o := range objects {
				var pod corev1.PodTemplateSpec
				switch workload := o.Spec.(type) {
				case *appsv1.Deployment:
					pod = workload.Spec.Template
				case *appsv1.StatefulSet:
					pod = workload.Spec.Template
				}
				for _, c := range pod.Spec.Containers {
					for _, port := range c.Ports {
						if !slices.ContainsFunc(scraped, func(r *regexp.Regexp) bool { return r.MatchString(pod.Labels["app"] + ";" + port.Name) }) {
							continue
						}
						found[pod.Labels["app"]+" "+port.Name] = true
						if !declaresHTTP(objects, pod.Labels, port) {
							t.Errorf("no Service declares port %s of %s as HTTP, so that Prometheus may not scrape it", port.Name, o)
						}
					}
				}
			}
			if diff := cmp.Diff(test.ports, slices.Sorted(maps.Keys(found))); diff != "" {
				t.Errorf("what is scraped (-want +got):\n%s", diff)
			}
		})
	}
}

// scrapes are the expressions for the label app and the name of a port, with ; between them, by which Prometheus finds what it scrapes in
// observability/ by mutual TLS.
func scrapes(t *testing.T) (all []*regexp.Regexp) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "observability/prometheus/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Jobs []struct {
			Scheme string
			Rules  []struct {
				Labels []string `yaml:"source_labels"`
				Regex  string
				Action string
			} `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	by := []string{"__meta_kubernetes_pod_label_app", "__meta_kubernetes_pod_container_port_name"}
	for _, job := range config.Jobs {
		for _, rule := range job.Rules {
			if job.Scheme == "https" && rule.Action == "keep" && slices.Equal(rule.Labels, by) {
				all = append(all, regexp.MustCompile("^(?:"+rule.Regex+")$"))
			}
		}
	}
	return all
}

// declaresHTTP reports whether a Service of some pods has a port for one of theirs, and says that it is HTTP.
func declaresHTTP(objects []*Object, pod map[string]string, port corev1.ContainerPort) bool {
	for _, o := range objects {
		service, is := o.Spec.(*corev1.Service)
		if !is || len(service.Spec.Selector) == 0 || !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod)) {
			continue
		}
		for _, p := range service.Spec.Ports {
			http := p.AppProtocol != nil && *p.AppProtocol == "http"
			if http && (p.TargetPort == intstr.FromString(port.Name) || p.TargetPort == intstr.FromInt32(port.ContainerPort)) {
				return true
			}
		}
	}
	return false
}
