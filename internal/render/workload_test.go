package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/trellis-mesh/trellis/chassis/config"
	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/lint/cluster"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// manifestOf is the workload's object of a kind.
func manifestOf(t *testing.T, p *platform, service, kind string) map[string]any {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(p.read("services/" + service + "/deploy/workload.yaml"))))
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s has no %s", service, kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		if object["kind"] == kind {
			return object
		}
	}
}

// at follows keys and list indices into a manifest.
func at(t *testing.T, object any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch key := step.(type) {
		case string:
			fields, _ := object.(map[string]any)
			object = fields[key]
		case int:
			items, _ := object.([]any)
			if key >= len(items) {
				t.Fatalf("%v: only %d items", path, len(items))
			}
			object = items[key]
		}
	}
	return object
}

func TestManifestsAgreeWithThemselves(t *testing.T) {
	p, _ := goldenPlatform(t)
	if problems := lint.Check(p.model(), p.rendered()); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestServicesUnderstandTheirEnvironment gives a service's container its environment: the chassis refuses what it does not know.
func TestServicesUnderstandTheirEnvironment(t *testing.T) {
	p, _ := goldenPlatform(t)
	deployment := manifestOf(t, p, "greeter", "Deployment")
	var environ []string
	for _, v := range at(t, deployment, "spec", "template", "spec", "containers", 0, "env").([]any) {
		environ = append(environ, at(t, v, "name").(string)+"="+at(t, v, "value").(string))
	}
	secrets := map[string]string{
		"/var/run/stores/database-url": "postgres://greeter@db/greeter", "/var/run/stores/redis-url": "redis://cache:6379/0",
		"/var/run/stores/shard-s1-url": "postgres://s1@db/s1", "/var/run/stores/shard-far-east-url": "postgres://east@db/east",
	}
	var got config.Service
	err := config.Load(&got, config.Options{
		Environ: environ, Names: map[string][]string{"calls": {"catalog"}, "database.shards": {"s1", "far-east"}},
		ReadFile: func(name string) ([]byte, error) { return []byte(secrets[name]), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Mesh || got.Shutdown.Delay != 0 || got.Calls["catalog"].URL != "http://catalog.shop.svc.cluster.local:8080" {
		t.Errorf("configuration %+v", got)
	}
	if got.Database.URL.Reveal() != secrets["/var/run/stores/database-url"] || len(got.Kafka.Brokers) != 1 {
		t.Errorf("stores %+v", got)
	}
	for _, shard := range []string{"s1", "far-east"} {
		if url := got.Database.Shards[shard].URL.Reveal(); url != secrets["/var/run/stores/shard-"+shard+"-url"] {
			t.Errorf("shard %s at %q", shard, url)
		}
	}
	grace := at(t, deployment, "spec", "template", "spec", "terminationGracePeriodSeconds").(int)
	sleep := at(t, deployment, "spec", "template", "spec", "containers", 0, "lifecycle", "preStop", "sleep", "seconds").(int)
	if stop := int(got.Shutdown.Timeout.Seconds()); grace <= sleep+stop {
		t.Errorf("killed after %d s, but stopping may take %d s + %d s", grace, sleep, stop)
	}
}

// TestPodsAreRestricted checks what the restricted Pod Security Standard asks for.
func TestPodsAreRestricted(t *testing.T) {
	p, _ := goldenPlatform(t)
	for _, g := range golden {
		pod := at(t, manifestOf(t, p, g.name, "Deployment"), "spec", "template", "spec")
		container := at(t, pod, "containers", 0, "securityContext")
		for _, check := range []struct{ got, want any }{
			{at(t, pod, "automountServiceAccountToken"), false},
			{at(t, pod, "enableServiceLinks"), false},
			{at(t, pod, "securityContext", "runAsNonRoot"), true},
			{at(t, pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault"},
			{at(t, container, "allowPrivilegeEscalation"), false},
			{at(t, container, "readOnlyRootFilesystem"), true},
			{at(t, container, "capabilities", "drop"), []any{"ALL"}},
			{at(t, manifestOf(t, p, g.name, "ServiceAccount"), "automountServiceAccountToken"), false},
		} {
			if diff := cmp.Diff(check.want, check.got); diff != "" {
				t.Errorf("%s: %s", g.name, diff)
			}
		}
	}
}

func TestNetworkLetsInWhoIsDeclared(t *testing.T) {
	p, _ := goldenPlatform(t)
	p.sync("catalog", Inputs{Resource: "product"}, nil)
	p.sync("greeter", Inputs{Resource: "greeting"}, nil)
	peers := func(service, direction string) (apps, namespaces []string) {
		for _, rule := range at(t, manifestOf(t, p, service, "NetworkPolicy"), "spec", direction).([]any) {
			for _, side := range []string{"from", "to"} {
				if at(t, rule, side) == nil {
					continue
				}
				if app, ok := at(t, rule, side, 0, "podSelector", "matchLabels", "app").(string); ok {
					apps = append(apps, app)
				}
				if ns, ok := at(t, rule, side, 0, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name").(string); ok {
					namespaces = append(namespaces, ns)
				}
			}
		}
		return apps, namespaces
	}
	for _, test := range []struct {
		service, direction string
		apps, namespaces   []string
	}{
		{"catalog", "ingress", []string{"bff-web", "greeter"}, []string{"observability"}},
		{"greeter", "ingress", []string{"bff-web"}, []string{"istio-ingress", "observability"}},
		{"greeter", "egress", []string{"catalog"}, []string{"kube-system", "istio-system", "observability", "data"}},
		{"plain", "ingress", nil, []string{"observability"}},
		{"plain", "egress", nil, []string{"kube-system", "istio-system", "observability"}},
	} {
		apps, namespaces := peers(test.service, test.direction)
		if !slices.Equal(apps, test.apps) || !slices.Equal(namespaces, test.namespaces) {
			t.Errorf("%s %s: %v and %v, want %v and %v", test.service, test.direction, apps, namespaces, test.apps, test.namespaces)
		}
	}
}

func TestDeclaredNumbersReachTheWorkload(t *testing.T) {
	p := newPlatform(t)
	p.create("greeter", spec.Options{}, Inputs{})
	p.write("services/greeter/service.yaml", p.read("services/greeter/service.yaml")+`http: {port: 8181}
run: {replicas: {min: 3, max: 9}, cpu: {request: 1, limit: 2}, memory: {request: 1Gi, limit: 2Gi}}
`)
	p.sync("greeter", Inputs{}, nil)
	deployment, service := manifestOf(t, p, "greeter", "Deployment"), manifestOf(t, p, "greeter", "Service")
	container := at(t, deployment, "spec", "template", "spec", "containers", 0)
	scaler := manifestOf(t, p, "greeter", "HorizontalPodAutoscaler")
	got := []any{
		at(t, container, "ports", 0, "containerPort"), at(t, service, "spec", "ports", 0, "port"),
		at(t, container, "resources", "requests", "cpu"), at(t, container, "resources", "limits", "memory"),
		at(t, scaler, "spec", "minReplicas"), at(t, scaler, "spec", "maxReplicas"),
	}
	if diff := cmp.Diff([]any{8181, 8181, 1, "2Gi", 3, 9}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCanaryHasPodsOfItsOwn(t *testing.T) {
	p := shopMesh(t, map[string]string{"catalog": "traffic: {version: v3, canary: {version: v4}}\n"})
	var got []string
	for _, o := range objects(t, p.read("services/catalog/deploy/workload.yaml")) {
		switch o["kind"] {
		case "Deployment":
			template := at(t, o, "spec", "template")
			got = append(got, fmt.Sprint("runs ", at(t, o, "metadata", "name"), at(t, o, "spec", "selector", "matchLabels"), at(t, template, "metadata", "labels", "version"),
				" ", at(t, template, "spec", "containers", 0, "image")))
		case "HorizontalPodAutoscaler":
			got = append(got, fmt.Sprint("scales ", at(t, o, "metadata", "name"), " by ", at(t, o, "spec", "scaleTargetRef", "name")))
		case "PodDisruptionBudget":
			got = append(got, fmt.Sprint("keeps ", at(t, o, "spec", "selector", "matchLabels")))
		}
	}
	want := []string{
		"runs catalog-v3map[app:catalog version:v3]v3 ko.local/shop/catalog:v3", "runs catalog-v4map[app:catalog version:v4]v4 ko.local/shop/catalog:v4",
		"scales catalog-v3 by catalog-v3", "scales catalog-v4 by catalog-v4", "keeps map[app:catalog]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPinningAnImageLeavesTheOtherVersionAlone does what docs/mesh.md says of releases: both versions have the same image
// name, and only the tag tells them apart.
func TestPinningAnImageLeavesTheOtherVersionAlone(t *testing.T) {
	p := shopMesh(t, map[string]string{"catalog": "traffic: {canary: {version: v2}}\n"})
	built := kustomized(t, map[string]string{
		"workload.yaml": p.read("services/catalog/deploy/workload.yaml"),
		"kustomization.yaml": "resources: [workload.yaml]\nimages:\n" +
			"  - {name: \"ko.local/shop/catalog:v1\", newTag: v1-3f2a9c1}\n",
	})
	var got []string
	for _, o := range objects(t, built) {
		if o["kind"] == "Deployment" {
			got = append(got, fmt.Sprint(at(t, o, "metadata", "name"), " ", at(t, o, "spec", "template", "spec", "containers", 0, "image")))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"catalog ko.local/shop/catalog:v1-3f2a9c1", "catalog-v2 ko.local/shop/catalog:v2"}, got); diff != "" {
		t.Error(diff)
	}
}

// kustomized is what a kustomization in these files builds.
func kustomized(t *testing.T, files map[string]string) string {
	t.Helper()
	disk := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := disk.WriteFile("/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/")
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestClusterTakesWhatIsRendered(t *testing.T) {
	golden, _ := goldenPlatform(t)
	pairwise, _ := pairwisePlatform(t)
	for name, p := range map[string]*platform{
		"golden": golden, "pairwise": pairwise,
		"shop": shopMesh(t, map[string]string{
			"catalog": "ingress: [listProducts, getProduct, putProduct, deleteProduct, getPrice]\nhttp: {port: 8181}\n" +
				"traffic: {version: v2, canary: {version: v3, weight: 40, header: {}, mirror: 3}, outlier: {maxEjected: 0}}\n",
			"orders": "calls: {catalog: {operations: [getProduct, putPrice, deleteProduct], retry: {attempts: 1}}}\nexternals: [{host: a.example}, {host: a.example, port: 8443, tls: passthrough}]\n",
			"pages":  "calls: {catalog: {operations: [createProduct, searchProducts]}}\nexternals: [{host: a.example}, {host: a.example, port: 8080, tls: none}]\n",
			"users":  "http: {port: 8282}\n",
		}),
	} {
		m := p.model()
		files, err := p.r.Platform(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, service := range m.Services { // whose callers came after them
			more, err := p.r.Service(m, service.Name, Inputs{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, more...)
		}
		for _, problem := range cluster.Check(m, files) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}
