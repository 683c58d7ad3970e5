package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var jobs = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}

func TestBuiltImagesReplaceThoseOfTheServices(t *testing.T) {
	p := small(t, Options{}, map[string]string{"platform.yaml": "name: shop\nregistry: registry.example.com:5000/team\n"})
	deployment := object(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders-v2}
spec:
  template:
    spec:
      initContainers:
        - {name: migrate, image: "registry.example.com:5000/team/shop/orders:v2"}
      containers:
        - {name: orders, image: "registry.example.com:5000/team/shop/orders:v2"}
        - {name: untagged, image: registry.example.com:5000/team/shop/orders}
        - {name: other, image: "registry.example.com:5000/team/shop/orders-report:v1"}
        - {name: foreign, image: "docker.io/library/orders:v1"}
        - {name: istio-proxy, image: auto}
`)
	cron := object(t, `
apiVersion: batch/v1
kind: CronJob
metadata: {name: orders}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: orders, image: "registry.example.com:5000/team/shop/orders:v1"}]}}}}}
`)
	service := object(t, `{apiVersion: v1, kind: Service, metadata: {name: orders}}`)
	p.withImages([]*unstructured.Unstructured{deployment, cron, service}, map[string]string{"orders": "ko.local/shop/orders:abc"})

	var got []string
	for _, o := range []*unstructured.Unstructured{deployment, cron} {
		containers(o, func(c map[string]any) { got = append(got, c["name"].(string)+" "+c["image"].(string)) })
	}
	want := []string{
		"migrate ko.local/shop/orders:abc", "orders ko.local/shop/orders:abc", "untagged ko.local/shop/orders:abc",
		"other registry.example.com:5000/team/shop/orders-report:v1", "foreign docker.io/library/orders:v1", "istio-proxy auto",
		"orders ko.local/shop/orders:abc",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"docker.io/library/orders:v1", "ko.local/shop/orders:abc", "registry.example.com:5000/team/shop/orders-report:v1"},
		imagesOf([]*unstructured.Unstructured{deployment, cron, service})); diff != "" {
		t.Error(diff)
	}
}

// migration is the job of one image, in a state.
func migration(t *testing.T, image, status string) *unstructured.Unstructured {
	t.Helper()
	return object(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: orders-migrate, namespace: shop}
spec: {template: {spec: {containers: [{name: orders, image: "`+image+`"}]}}}
status: {`+status+`}
`)
}

func TestJobRunsOnceForAnImage(t *testing.T) {
	const (
		complete = `conditions: [{type: Complete, status: "True"}]`
		failed   = `conditions: [{type: Failed, status: "True"}]`
	)
	wanted := migration(t, "orders:2", "")
	for _, c := range []struct {
		name    string
		there   *unstructured.Unstructured
		changes []string
	}{
		{"none was there", nil, []string{"patch"}},
		{"it ran for this image", migration(t, "orders:2", complete), nil},
		{"it runs for this image", migration(t, "orders:2", "active: 1"), nil},
		{"it ran for another image", migration(t, "orders:1", complete), []string{"delete", "patch"}},
		{"it failed for this image", migration(t, "orders:2", failed), []string{"delete", "patch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAPI(t)
			if c.there != nil {
				a = newAPI(t, c.there)
			}
			fresh, err := a.freshJob(t.Context(), wanted)
			if err != nil || fresh != (c.changes != nil) {
				t.Errorf("fresh %t, %v", fresh, err)
			}
			var verbs []string
			for _, change := range a.changes() {
				verb, _, _ := strings.Cut(change, " ")
				verbs = append(verbs, verb)
			}
			if diff := cmp.Diff(c.changes, verbs); diff != "" {
				t.Error(diff)
			}
			if image := imagesOf([]*unstructured.Unstructured{a.must(t, jobs, "shop", "orders-migrate")}); image[0] != "orders:2" {
				t.Error(image)
			}
		})
	}
}

func TestPodsComeAfterWhatTheyNeed(t *testing.T) {
	var objects []*unstructured.Unstructured
	for _, kind := range []string{"ServiceAccount", "ConfigMap", "AuthorizationPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"} {
		o := &unstructured.Unstructured{}
		o.SetKind(kind)
		objects = append(objects, o)
	}
	kinds := func(objects []*unstructured.Unstructured) (all []string) {
		for _, o := range objects {
			all = append(all, o.GetKind())
		}
		return all
	}
	needed, jobs, workloads := inTurn(objects)
	want := [][]string{
		{"ServiceAccount", "ConfigMap", "AuthorizationPolicy"}, {"Job"},
		{"PodDisruptionBudget", "HorizontalPodAutoscaler", "Deployment", "StatefulSet", "DaemonSet", "CronJob"},
	}
	if diff := cmp.Diff(want, [][]string{kinds(needed), kinds(jobs), kinds(workloads)}); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsDeclaredNoMoreIsRemoved(t *testing.T) {
	declared := func(names ...string) (out []*unstructured.Unstructured) {
		for _, name := range names {
			kind, name, _ := strings.Cut(name, "/")
			version := "v1"
			if kind == "Deployment" {
				version = "apps/v1"
			}
			namespace := "namespace: shop, "
			if kind == "Namespace" {
				namespace = ""
			}
			out = append(out, object(t, "{apiVersion: "+version+", kind: "+kind+", metadata: {"+namespace+"name: "+name+"}}"))
		}
		return out
	}
	all := declared("Namespace/shop", "PersistentVolumeClaim/data", "Service/orders", "Deployment/orders", "Service/users")
	a := newAPI(t, all...)

	if n, err := a.prune(t.Context(), "services", all); n != 0 || err != nil {
		t.Fatalf("the first time: %d removed, %v", n, err)
	}
	a.fake.ClearActions()
	// Another part's objects are not its business, though it does not name them.
	if n, err := a.prune(t.Context(), "environment", nil); n != 0 || err != nil {
		t.Fatalf("another part: %d removed, %v", n, err)
	}
	a.fake.ClearActions()
	n, err := a.prune(t.Context(), "services", declared("Service/users"))
	if n != 2 || err != nil {
		t.Fatalf("%d removed, %v", n, err)
	}
	want := []string{"delete deployments shop/orders", "delete services shop/orders", "patch configmaps kube-system/scaffold-services"}
	if diff := cmp.Diff(want, a.changes()); diff != "" {
		t.Errorf("a namespace, and what a database holds, stay:\n%s", diff)
	}
	// It was remembered: the next run removes nothing, and looks for nothing.
	a.fake.ClearActions()
	if n, err := a.prune(t.Context(), "services", declared("Service/users")); n != 0 || err != nil || len(a.changes()) != 1 {
		t.Errorf("again: %d removed, %v, %v", n, err, a.changes())
	}
}

func TestPruneGoesOnPastWhatIsGone(t *testing.T) {
	a := newAPI(t)
	before := parseInventory(strings.Join([]string{
		"v1 Service shop removed-by-hand", "example.com/v1 Widget shop whose-kind-was-removed", "not an entry", ""}, "\n"))
	if err := a.writeInventory(t.Context(), "services", before); err != nil {
		t.Fatal(err)
	}
	removed, err := a.prune(t.Context(), "services", nil)
	if removed != 0 || err != nil {
		t.Errorf("%d removed, %v", removed, err)
	}
}

// What is applied by a newer version of its API is the same object: to remove the old one would remove it.
func TestPruneKeepsWhatHasANewerVersion(t *testing.T) {
	older, newer := object(t, "{apiVersion: apps/v1beta1, kind: Deployment, metadata: {namespace: shop, name: orders}}"),
		object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: shop, name: orders}}")
	a := newAPI(t, newer)
	if err := a.record(t.Context(), "services", []*unstructured.Unstructured{older}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.prune(t.Context(), "services", []*unstructured.Unstructured{newer}); n != 0 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
}

// A run that is killed between the first object and the last leaves none that a later run does not know of.
func TestWhatIsRecordedButWasNeverPrunedIsRemovedLater(t *testing.T) {
	stray := object(t, "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: stray}}")
	a := newAPI(t, stray)
	if err := a.record(t.Context(), "services", []*unstructured.Unstructured{stray}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.prune(t.Context(), "services", nil); n != 1 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
}
