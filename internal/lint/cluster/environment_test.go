package cluster_test

import (
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/lint/cluster"
	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const (
	kindFile       = "mesh/environments/kind/kustomization.yaml"
	kindService    = "mesh/environments/kind/service/kustomization.yaml"
	productionFile = "mesh/environments/production/kustomization.yaml"
	ordersFile     = "services/orders/deploy/kustomization.yaml"
)

// written are files with others that a person wrote; a text that begins with + goes to the end of a file.
// What a kustomization written anew listed before is gone.
func written(files []plan.File, own map[string]string) []plan.File {
	files = slices.DeleteFunc(slices.Clone(files), func(f plan.File) bool {
		return own[kindFile] != "" && f.Path != kindFile && path.Dir(f.Path) == path.Dir(kindFile)
	})
	for name, text := range own {
		i := slices.IndexFunc(files, func(f plan.File) bool { return f.Path == name })
		if i < 0 {
			files = append(files, plan.File{Path: name, Class: plan.Once})
			i = len(files) - 1
		}
		if more, ok := strings.CutPrefix(text, "+"); ok {
			text = string(files[i].Content) + more
		}
		files[i].Content = []byte(text)
	}
	return files
}

// What the environments' files begin with here.
const (
	base      = "resources: [../../base]\n"
	component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
)

const permissive = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: %NAME%}
spec: {mtls: {mode: PERMISSIVE}}
`

func TestWhatAPersonWritesCannotWeakenTheMesh(t *testing.T) {
	m, files := shop(t)
	own := strings.Replace(permissive, "%NAME%", "stores, namespace: data", 1)
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"a patch", map[string]string{productionFile: base + "patches:\n  - patch: |\n      apiVersion: security.istio.io/v1\n      kind: PeerAuthentication\n      metadata: {name: default, namespace: istio-system}\n      spec: {mtls: {mode: PERMISSIVE}}\n"},
			[]string{
				"mesh/base/peer-authentication.yaml:1:1: no PeerAuthentication in istio-system makes mutual TLS STRICT for all",
				productionFile + ":3:5: the PeerAuthentication istio-system/default lets in connections that do not show who they are from: mtls.mode must be STRICT",
			}},
		{"a patch in a file", map[string]string{
			productionFile:                           "+patches: [{path: weak.yaml}]\n",
			"mesh/environments/production/weak.yaml": strings.Replace(permissive, "%NAME%", "default, namespace: istio-system", 1)},
			[]string{
				"mesh/base/peer-authentication.yaml:1:1: no PeerAuthentication in istio-system makes mutual TLS STRICT for all",
				productionFile + ":2:1: the PeerAuthentication istio-system/default lets in connections that do not show who they are from: mtls.mode must be STRICT",
			}},
		{"an operation on what all have", map[string]string{kindFile: base + "patches:\n  - target: {kind: AuthorizationPolicy, name: allow-nothing}\n    patch: |\n      - {op: add, path: /spec/rules, value: [{}]}\n"},
			[]string{
				"mesh/base/authorization.yaml:1:1: no AuthorizationPolicy in istio-system lets nothing in, so pods without a policy of their own are open to all",
				kindFile + ":3:5: the AuthorizationPolicy istio-system/allow-nothing lets requests in to every namespace",
			}},
		{"what goes on top of each service", map[string]string{kindService: component + "patches:\n  - target: {kind: Sidecar}\n    patch: |\n      - {op: replace, path: /spec/outboundTrafficPolicy/mode, value: ALLOW_ANY}\n"},
			[]string{
				kindService + ":4:5: the sidecar of catalog lets requests out to hosts that it does not know: it must be REGISTRY_ONLY",
				kindService + ":4:5: the sidecar of orders lets requests out to hosts that it does not know: it must be REGISTRY_ONLY",
				kindService + ":4:5: the sidecar of users lets requests out to hosts that it does not know: it must be REGISTRY_ONLY",
			}},
		{"an object taken away", map[string]string{kindService: component + "patches:\n  - target: {kind: AuthorizationPolicy, name: catalog-redis}\n    patch: '{$patch: delete, kind: AuthorizationPolicy, metadata: {name: catalog-redis}}'\n"},
			[]string{"services/catalog/service.yaml:1:7: nothing lets catalog open redis, which it declares"}},
		{"an object of the environment's own", map[string]string{productionFile: "resources: [../../base, stores.yaml]\n", "mesh/environments/production/stores.yaml": own},
			[]string{"mesh/environments/production/stores.yaml:4:21: the PeerAuthentication data/stores lets in connections that do not show who they are from: mtls.mode must be STRICT"}},
		{"values on top of the mesh configuration", map[string]string{"mesh/environments/kind/istio/istiod.yaml": "+meshConfig: {outboundTrafficPolicy: {mode: ALLOW_ANY}}\n"},
			[]string{"mesh/environments/kind/istio/istiod.yaml:2:1: meshConfig.outboundTrafficPolicy lets requests out to any host: its mode must be REGISTRY_ONLY"}},
		{"another namespace for all", map[string]string{kindFile: base + "namespace: default\n"}, []string{"mesh/environments/kind cannot be built: namespace transformation produces ID conflict"}},
		{"a patch that cannot be", map[string]string{kindFile: base + "patches:\n  - patch: '{kind: Sidecar, apiVersion: networking.istio.io/v1, metadata: {name: nobody}}'\n"},
			[]string{"mesh/environments/kind cannot be built: "}},
		{"something on the network", map[string]string{kindFile: "resources: [../../base, https://example.com/all.yaml]\n"},
			[]string{kindFile + ":1:25: resources: there is no https://example.com/all.yaml, and no kustomization of that name"}},
		{"a file from elsewhere", map[string]string{productionFile: "resources: [../../base, ../../../services/users/deploy/mesh.yaml]\n"},
			[]string{productionFile + ":1:25: ../../../services/users/deploy/mesh.yaml lies outside of mesh/environments/production: kustomize takes a folder from there, but no file"}},
		{"an object that nothing applies", map[string]string{"services/orders/deploy/extra.yaml": own},
			[]string{"services/orders/deploy/extra.yaml:1:1: no kustomization lists extra.yaml, so it would not be applied"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			problems := cluster.Check(m, written(files, test.files))
			for _, p := range problems {
				text, _, _ := strings.Cut(p.String(), "\n")
				got = append(got, text)
			}
			if len(test.want) == 1 && len(got) > 0 && strings.Contains(got[0], test.want[0]) {
				return // the rest of a message is kustomize's, or there are many
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatAPersonAddsIsTaken(t *testing.T) {
	m, files := shop(t)
	const settings = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {a: b}}\n"
	for name, own := range map[string]map[string]string{
		"beside a service":              {ordersFile: "+  - extra.yaml\n", "services/orders/deploy/extra.yaml": settings},
		"a folder of another name":      {kindFile: "resources: [../../base, ../../../observability]\n", "observability/kustomization.yaml": "resources: [settings.yaml]\n", "observability/settings.yaml": settings},
		"in both environments":          {kindFile: "resources: [../../base, a.yaml]\n", "mesh/environments/kind/a.yaml": settings, productionFile: "resources: [../../base, a.yaml]\n", "mesh/environments/production/a.yaml": strings.Replace(settings, "a: b", "a: c", 1)},
		"generated":                     {kindFile: "resources: [../../base]\nsecretGenerator: [{name: postgres, namespace: data, literals: [password=x]}]\nconfigMapGenerator: [{name: a, namespace: data, files: [a.conf]}]\n", "mesh/environments/kind/a.conf": "x"},
		"how the cluster is made":       {"mesh/environments/kind/cluster.yaml": "{kind: Cluster, apiVersion: kind.x-k8s.io/v1alpha4}\n"},
		"a custom resource of others":   {ordersFile: "+  - extra.yaml\n", "services/orders/deploy/extra.yaml": "{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a, namespace: shop}}\n"},
		"a sidecar with more processor": {kindService: component + "patches:\n  - target: {kind: Deployment}\n    patch: |\n      - {op: replace, path: /spec/template/spec/containers/0/resources/requests/cpu, value: 5m}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if problems := cluster.Check(m, written(files, own)); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

// TestComponentsOfProductionKeepTheMesh takes each by itself, and all together.
func TestComponentsOfProductionKeepTheMesh(t *testing.T) {
	m, files := shop(t)
	var all []string
	for _, f := range files {
		if dir, is := strings.CutPrefix(path.Dir(f.Path), path.Dir(productionFile)+"/"); is && path.Base(f.Path) == "kustomization.yaml" {
			all = append(all, dir)
		}
	}
	if len(all) < 6 {
		t.Fatalf("there are only %v", all)
	}
	for _, chosen := range append(all, strings.Join(all, ", ")) {
		t.Run(chosen, func(t *testing.T) {
			own := map[string]string{productionFile: base + "components: [" + chosen + "]\n"}
			if problems := cluster.Check(m, written(files, own)); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

// TestAStoreIsOpenToItsOwnPodsOnly lets standbys in, and whoever else runs beside the store not.
func TestAStoreIsOpenToItsOwnPodsOnly(t *testing.T) {
	m, files := shop(t)
	i := slices.IndexFunc(files, func(f plan.File) bool { return strings.HasSuffix(f.Path, "/components/cloudnative-pg/postgres.yaml") })
	if i < 0 {
		t.Fatal("there is no such component")
	}
	text := strings.Replace(string(files[i].Content), "/ns/data/sa/postgres", "/ns/data/sa/kafka", 1)
	problems := cluster.Check(m, written(files, map[string]string{productionFile: base + "components: [components/cloudnative-pg]\n", files[i].Path: text}))
	const want = "AuthorizationPolicy data/postgres-replication lets in what nothing declares: shop.local/ns/data/sa/kafka: "
	if len(problems) != 1 || !strings.Contains(problems[0].String(), want) {
		t.Error(problems)
	}
}

// TestSpansPassByKafkaForCollectorsAndJaegerOnly changes who may open Kafka where spans pass by it, and who says that he does.
func TestSpansPassByKafkaForCollectorsAndJaegerOnly(t *testing.T) {
	const (
		folder     = "mesh/environments/production/components/observability/"
		undeclared = "AuthorizationPolicy data/observability-kafka lets in what nothing declares: shop.local/ns/observability/sa/"
	)
	m, files := shop(t)
	for _, test := range []struct{ name, file, old, new, want string }{
		{"one more principal", "kafka.yaml", "/ns/observability/sa/jaeger\n", "/ns/observability/sa/jaeger\n              - shop.local/ns/observability/sa/prometheus\n", undeclared + "prometheus"},
		{"any port", "kafka.yaml", "      to:\n        - operation:\n            ports: [\"9092\"]\n", "", "on port any"},
		{"a principal less", "kafka.yaml", "              - shop.local/ns/observability/sa/jaeger\n", "", "nothing lets jaeger open kafka, which it declares"},
		{"no principals", "kafka.yaml", "    - from:\n        - source:\n            principals:\n              - shop.local/ns/observability/sa/collector\n              - shop.local/ns/observability/sa/jaeger\n      to:", "    - to:", "data/observability-kafka lets anybody in"},
		{"collectors that do not know Kafka", "sidecar.yaml", "        - data/kafka.data.svc.cluster.local # spans\n", "", undeclared + "collector"},
		{"a Jaeger that does not know Kafka", "jaeger.yaml", "        - data/kafka.data.svc.cluster.local # spans\n", "", undeclared + "jaeger"},
		{"somebody else who knows Kafka", "sidecar.yaml", "app: collector\n  outboundTrafficPolicy", "app: prometheus\n  outboundTrafficPolicy", undeclared + "collector"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := slices.IndexFunc(files, func(f plan.File) bool { return f.Path == folder+test.file })
			if i < 0 || strings.Count(string(files[i].Content), test.old) != 1 {
				t.Fatalf("%s has no %q", test.file, test.old)
			}
			text := strings.Replace(string(files[i].Content), test.old, test.new, 1)
			problems := cluster.Check(m, written(files, map[string]string{productionFile: base + "components: [components/observability]\n", files[i].Path: text}))
			if !slices.ContainsFunc(problems, func(p spec.Problem) bool { return strings.Contains(p.String(), test.want) }) {
				t.Errorf("%v\nwant %s", problems, test.want)
			}
		})
	}
	t.Run("somebody else who knows Kafka, and is let in", func(t *testing.T) {
		const sidecar = "+\n---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: prometheus, namespace: observability}\n" +
			"spec: {workloadSelector: {labels: {app: prometheus}}, egress: [{hosts: [data/kafka.data.svc.cluster.local]}]}\n"
		i := slices.IndexFunc(files, func(f plan.File) bool { return f.Path == folder+"kafka.yaml" })
		text := strings.Replace(string(files[i].Content), "/sa/jaeger\n", "/sa/jaeger\n              - shop.local/ns/observability/sa/prometheus\n", 1)
		problems := cluster.Check(m, written(files, map[string]string{productionFile: base + "components: [components/observability]\n", files[i].Path: text, folder + "volumes.yaml": sidecar}))
		if len(problems) != 1 || !strings.Contains(problems[0].String(), undeclared+"prometheus") {
			t.Error(problems)
		}
	})
}

// TestAFaultIsToldOnce has one in a file that every environment is given, and that one of them patches beside.
func TestAFaultIsToldOnce(t *testing.T) {
	m, files := shop(t)
	f := fault{file: usersMesh, after: ruleKind, old: "mode: ISTIO_MUTUAL", new: "mode: DISABLE"}
	if problems := cluster.Check(m, f.apply(t, files)); len(problems) != 1 || problems[0].File != usersMesh {
		t.Error(problems)
	}
}

func TestFoundAreTheFilesOnTheDisk(t *testing.T) {
	m, files := shop(t)
	disk := fstest.MapFS{
		kindFile:                               {Data: []byte("of the disk")}, // what is rendered goes first: the caller has put a person's own in
		"mesh/environments/kind/extra.yaml":    {},
		"mesh/environments/kind/notes.md":      {},
		"mesh/proof/testdata/a.yaml":           {},
		"services/orders/deploy/own/some.yaml": {},
		"services/gone/deploy/mesh.yaml":       {},
		"stores/kustomization.yaml":            {Data: []byte("resources: [postgres]\n")},
		"stores/postgres/Kustomization":        {Data: []byte("resources: [a.yml]\nconfigMapGenerator: [{name: a, files: [x=conf/a.conf], envs: [a.env]}]\n")},
		"stores/postgres/a.yml":                {},
		"stores/postgres/conf/a.conf":          {},
		"stores/postgres/a.env":                {},
		"stores/postgres/other.yaml":           {},
	}
	files = written(files, map[string]string{productionFile: "resources: [../../base, ../../../stores, ../../../../outside]\n"})
	all, err := cluster.Found(m, files, disk)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range all[len(files):] {
		got = append(got, f.Path)
	}
	want := []string{
		"mesh/environments/kind/extra.yaml", "services/orders/deploy/own/some.yaml",
		"stores/kustomization.yaml", "stores/postgres/Kustomization", "stores/postgres/a.env", "stores/postgres/a.yml", "stores/postgres/conf/a.conf",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRemedyIsOfWhoWroteIt(t *testing.T) {
	m, files := shop(t)
	problems := cluster.Check(m, written(files, map[string]string{kindService: component + "patches:\n  - target: {kind: Sidecar}\n    patch: |\n      - {op: replace, path: /spec/outboundTrafficPolicy/mode, value: ALLOW_ANY}\n"}))
	if !slices.ContainsFunc(problems, func(p spec.Problem) bool { return strings.HasPrefix(p.Remedy, "correct it there") }) {
		t.Error(problems)
	}
}
