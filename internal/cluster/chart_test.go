package cluster

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// layered is a platform with an environment on top of kind, both of which change what mesh/istio says.
func layered(t *testing.T, o Options) *Platform {
	t.Helper()
	kustomization := func(resources string) string {
		return "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nresources: [" + resources + "]\n"
	}
	return small(t, o, map[string]string{
		"platform.yaml":                                  "name: shop\nimages: {mirror: mirror.example.com}\nversions: {istio: 9.9.9}\n",
		"mesh/base/kustomization.yaml":                   kustomization(""),
		"mesh/environments/kind/kustomization.yaml":      kustomization("../../base, data"),
		"mesh/environments/kind/data/kustomization.yaml": kustomization(""),
		"mesh/environments/test/kustomization.yaml":      kustomization("../kind"),
		"mesh/istio/gateway.yaml":                        "replicaCount: 3\nservice: {type: ClusterIP}\n",
		"mesh/environments/kind/istio/gateway.yaml":      "replicaCount: 1\nservice: {type: NodePort}\n",
		"mesh/environments/test/istio/gateway.yaml":      "replicaCount: 2\n",
		"mesh/environments/test/istio/istiod.yaml":       "global: {tag: own}\n",
	})
}

func TestEnvironmentOnTopOfAnother(t *testing.T) {
	p := layered(t, Options{Environment: "test"})
	folders, err := p.environments()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.FromSlash("mesh/environments/kind"), filepath.FromSlash("mesh/environments/test")}
	if diff := cmp.Diff(want, folders); diff != "" {
		t.Error(diff)
	}
}

func TestChartValuesAreLaidOnTopOfEachOther(t *testing.T) {
	p := layered(t, Options{Environment: "test"})
	got, err := p.chartValues("gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"global":       map[string]any{"hub": "mirror.example.com/docker.io/istio", "tag": "9.9.9"},
		"replicaCount": float64(2), "service": map[string]any{"type": "NodePort"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// What a file says of the image goes before the platform's pin, and the rest of the same map stays.
	got, err = p.chartValues("istiod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"global": map[string]any{"hub": "mirror.example.com/docker.io/istio", "tag": "own"}}, got); diff != "" {
		t.Error(diff)
	}
	images, err := p.thirdPartyImages()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mirror.example.com/docker.io/istio/pilot:own", "mirror.example.com/docker.io/istio/proxyv2:own"}, images); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenValuesAreNamed(t *testing.T) {
	p := layered(t, Options{Environment: "test"})
	write(t, filepath.Join(p.Root, "mesh/environments/test/istio/gateway.yaml"), "replicaCount: [\n")
	_, err := p.chartValues("gateway.yaml")
	mustSay(t, err, "mesh/environments/test/istio/gateway.yaml: ")
}

func TestChartIsRendered(t *testing.T) {
	charts, err := filepath.Abs("testdata/charts")
	if err != nil {
		t.Fatal(err)
	}
	p := layered(t, Options{Environment: "test", Charts: charts})
	objects, err := p.renderChart(t.Context(), istioCharts.gateway)
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, o := range objects {
		titles = append(titles, title(o))
	}
	want := []string{"ClusterRole gateway", "Service istio-ingress/gateway", "Deployment istio-ingress/gateway"}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Fatalf("notes and what is empty make no object, and the order is that of making them:\n%s", diff)
	}
	if ports := objects[1].Object["spec"].(map[string]any); ports["type"] != "NodePort" || len(ports["ports"].([]any)) != 1 {
		t.Errorf("the chart's own values, below the environment's: %v", ports)
	}
	if global := objects[2].GetAnnotations()["global"]; global != "null" {
		t.Errorf("the gateway's chart refuses global, and gets %s", global)
	}
}

func TestChartThatIsNotThere(t *testing.T) {
	p := layered(t, Options{Environment: "test", Charts: t.TempDir()})
	_, err := p.loadChart(t.Context(), istioCharts.istiod)
	mustSay(t, err, p.Charts, "neither istiod-9.9.9.tgz nor a folder istio-control/istio-discovery")
}

func TestChartThatCannotBeFetched(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // nothing listens there
	p := layered(t, Options{Environment: "test"})
	_, err := p.loadChart(t.Context(), istioCharts.base)
	mustSay(t, err, "fetch Istio's chart base-9.9.9.tgz", "put the charts into a folder and name it by "+ChartsVariable)
}

func TestDownloadLeavesAWholeFileOrNone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/chart.tgz":
			_, _ = w.Write([]byte("chart"))
		case "/cut.tgz":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("ch"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "new")
	for name, whole := range map[string]bool{"chart.tgz": true, "cut.tgz": false, "none.tgz": false} {
		path := filepath.Join(dir, name)
		err := download(t.Context(), server.URL+"/"+name, path)
		if (err == nil) != whole {
			t.Errorf("%s: %v", name, err)
		}
		if content, err := os.ReadFile(path); (err == nil) != whole || whole && string(content) != "chart" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "chart-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %s", strings.Join(left, " "))
	}
}
