package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Namespaces of Istio.
const (
	istioNamespace   = "istio-system"
	gatewayNamespace = "istio-ingress"
	gatewayRelease   = "gateway"
)

// istioChart is one of the charts that Istio is installed with.
type istioChart struct {
	name      string // as it is published
	source    string // its folder among the charts in Istio's own repository
	release   string
	namespace string
	values    string // the file of mesh/istio and mesh/environments/*/istio
}

var istioCharts = struct{ base, cni, istiod, gateway istioChart }{
	base:    istioChart{"base", "base", "istio-base", istioNamespace, "istiod.yaml"},
	cni:     istioChart{"cni", "istio-cni", "istio-cni", istioNamespace, "istiod.yaml"},
	istiod:  istioChart{"istiod", "istio-control/istio-discovery", "istiod", istioNamespace, "istiod.yaml"},
	gateway: istioChart{"gateway", "gateway", gatewayRelease, gatewayNamespace, "gateway.yaml"},
}

// chartServer publishes Istio's charts.
const chartServer = "https://istio-release.storage.googleapis.com/charts"

// load finds a chart: in the folder that is said, as it is published or as it lies in Istio's repository; in the cache; or on
// Istio's server.
func (p *Platform) loadChart(ctx context.Context, c istioChart) (*chart.Chart, error) {
	version := p.Model.Platform.Versions["istio"]
	archive := c.name + "-" + version + ".tgz"
	if p.Charts != "" {
		for _, path := range []string{archive, c.source, c.name} {
			path = filepath.Join(p.Charts, filepath.FromSlash(path))
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return loader.Load(path)
		}
		return nil, fmt.Errorf("%s has neither %s nor a folder %s", p.Charts, archive, c.source)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find a folder for charts: %w", err)
	}
	path := filepath.Join(cache, "trellis", "charts", archive)
	if _, err := os.Stat(path); err != nil {
		if err := download(ctx, chartServer+"/"+archive, path); err != nil {
			return nil, fmt.Errorf("fetch Istio's chart %s: %w; where there is no way to the server, put the charts into a folder and name it by %s", archive, err, ChartsVariable)
		}
	}
	loaded, err := loader.Load(path)
	if err != nil { // a proxy that asks for a login gives such a file, too
		return nil, errors.Join(fmt.Errorf("%s is no chart, and was removed: run this again, or put the charts into a folder and name it by %s: %w", path, ChartsVariable, err), os.Remove(path))
	}
	return loaded, nil
}

// download writes what an address has into a file, which appears when it is whole.
func download(ctx context.Context, address, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, response.Status)
	}
	const most = 16 << 20
	content, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil {
		return err
	}
	if len(content) > most {
		return fmt.Errorf("%s is larger than a chart can be", address)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "chart-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return os.Rename(temporary.Name(), path)
}

// values are what a chart is rendered with: its own, those of mesh/istio, and those of the environment, each on top of the
// one before.
func (p *Platform) chartValues(name string) (map[string]any, error) {
	hub, err := p.Model.Platform.Image("istio")
	if err != nil {
		return nil, err
	}
	values := map[string]any{"global": map[string]any{"hub": hub, "tag": p.Model.Platform.Versions["istio"]}}
	folders, err := p.environments()
	if err != nil {
		return nil, err
	}
	files := []string{filepath.Join("mesh", "istio", name)}
	for _, folder := range folders {
		files = append(files, filepath.Join(folder, "istio", name))
	}
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(p.Root, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		layer, err := loader.LoadValues(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.ToSlash(file), err)
		}
		values = loader.MergeMaps(values, layer)
	}
	return values, nil
}

// environments are the folders of the environment and of those that it is on top of, the lowest first.
func (p *Platform) environments() ([]string, error) {
	folders := []string{environmentDir(p.Environment)}
	for {
		raw, err := os.ReadFile(filepath.Join(p.Root, folders[0], "kustomization.yaml"))
		if err != nil {
			return nil, err
		}
		var k struct {
			Resources []string `json:"resources"`
		}
		if err := yaml.Unmarshal(raw, &k); err != nil {
			return nil, fmt.Errorf("%s/kustomization.yaml: %w", filepath.ToSlash(folders[0]), err)
		}
		parent := ""
		for _, r := range k.Resources {
			if folder := filepath.Join(folders[0], r); filepath.Dir(folder) == filepath.Dir(folders[0]) && !slices.Contains(folders, folder) {
				if info, err := os.Stat(filepath.Join(p.Root, folder)); err == nil && info.IsDir() {
					parent = folder
				}
			}
		}
		if parent == "" {
			return folders, nil
		}
		folders = append([]string{parent}, folders...)
	}
}

// renderChart gives the objects of a chart, in the order in which they can be made.
func (p *Platform) renderChart(ctx context.Context, c istioChart) ([]*unstructured.Unstructured, error) {
	ch, err := p.loadChart(ctx, c)
	if err != nil {
		return nil, err
	}
	values, err := p.chartValues(c.values)
	if err != nil {
		return nil, err
	}
	if c.name == istioCharts.gateway.name {
		delete(values, "global") // this chart refuses what it does not know, and takes its image from istiod
	}
	capabilities := common.DefaultCapabilities.Copy()
	if p.client != nil {
		if info, err := p.client.discovery.ServerVersion(); err == nil {
			if version, err := common.ParseKubeVersion(info.GitVersion); err == nil {
				capabilities.KubeVersion = *version
			}
		}
	}
	files, err := engine.Render(ch, common.Values{
		"Values": common.Values(loader.MergeMaps(ch.Values, values)), "Capabilities": capabilities, "Chart": ch.Metadata,
		"Release": map[string]any{"Name": c.release, "Namespace": c.namespace, "IsInstall": true, "IsUpgrade": false, "Revision": 1, "Service": "Helm"},
	})
	if err != nil {
		return nil, fmt.Errorf("render Istio's chart %s with mesh/istio/%s: %w", c.name, c.values, err)
	}
	var objects []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		found, err := decodeObjects([]byte(files[name]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, o := range found {
			if o.GetNamespace() == "" && namespacedKinds[o.GetKind()] {
				o.SetNamespace(c.namespace)
			}
			if c.name == istioCharts.gateway.name && o.GetKind() == "Deployment" {
				// The gateway is told everything by istiod, and asks Kubernetes for nothing; the chart has no value for it.
				if err := unstructured.SetNestedField(o.Object, false, "spec", "template", "spec", "automountServiceAccountToken"); err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		objects = append(objects, found...)
	}
	inOrder(objects)
	return objects, nil
}

// namespacedKinds are those of Istio's charts that may leave their namespace to the installer.
var namespacedKinds = map[string]bool{
	"ServiceAccount": true, "Role": true, "RoleBinding": true, "ConfigMap": true, "Deployment": true, "DaemonSet": true, "Service": true,
	"HorizontalPodAutoscaler": true, "PodDisruptionBudget": true, "NetworkPolicy": true,
}

func (p *Platform) installIstio(ctx context.Context, say sayer) (string, error) {
	objects, err := p.environmentObjects()
	if err != nil {
		return "", err
	}
	namespaces := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetKind() != "Namespace" })
	if err := p.client.applyAll(ctx, namespaces, say); err != nil {
		return "", err
	}
	values, err := p.chartValues(istioCharts.istiod.values)
	if err != nil {
		return "", err
	}
	charts := []istioChart{istioCharts.base, istioCharts.istiod}
	if enabled, _, _ := unstructured.NestedBool(values, "pilot", "cni", "enabled"); enabled {
		charts = []istioChart{istioCharts.base, istioCharts.cni, istioCharts.istiod}
	}
	for _, c := range append(charts, istioCharts.gateway) {
		say("install %s", c.name)
		objects, err := p.renderChart(ctx, c)
		if err != nil {
			return "", err
		}
		if c == istioCharts.gateway {
			if err := p.makeGatewayCertificate(ctx); err != nil {
				return "", err
			}
		}
		if err := p.client.applyAll(ctx, objects, say); err != nil {
			return "", fmt.Errorf("install Istio's chart %s: %w", c.name, err)
		}
		if err := p.client.waitReady(ctx, objects, say); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("Istio %s: %d charts", p.Model.Platform.Versions["istio"], len(charts)+1), nil
}
