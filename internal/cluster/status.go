package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const observability = "observability"

// dashboards are what can be opened in a browser, by the host that the gateway knows it by.
var dashboards = []struct{ name, what string }{
	{"grafana", "dashboards"},
	{"jaeger", "traces"},
	{"prometheus", "metrics, targets and rules"},
}

// waitForTelemetry waits for what watches the services.
func (p *Platform) waitForTelemetry(ctx context.Context, say sayer) (string, error) {
	objects, err := p.environmentObjects()
	if err != nil {
		return "", err
	}
	watching := slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetNamespace() != observability || !slices.Contains(lastKinds, o.GetKind())
	})
	var names []string
	for _, o := range watching {
		names = append(names, o.GetName())
	}
	return strings.Join(names, ", "), p.client.waitReady(ctx, watching, say)
}

// waitForGateway waits until the gateway's ports of this machine answer.
func (p *Platform) waitForGateway(ctx context.Context, say sayer) (string, error) {
	say("ask the gateway")
	browser := p.Browser()
	address := "https://" + p.Model.Platform.Gateway.Hosts[0] + "/"
	return p.gatewayURL(), until(ctx, 500*time.Millisecond, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return &finalError{err}
		}
		response, err := browser.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// Browser is a client that reaches every host of the gateway at the ports of this machine, whatever its name resolves to. It asks
// for no certificate that somebody vouches for: on this machine's loopback, nobody does.
func (p *Platform) Browser() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			local := p.config.plain
			if port == "443" || port == fmt.Sprint(p.config.secure) {
				local = p.config.secure
			}
			return dialer.DialContext(ctx, network, fmt.Sprintf("%s:%d", p.config.address, local))
		},
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // its own, and on this machine
		MaxIdleConnsPerHost: 64,
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (p *Platform) gatewayURL() string {
	return fmt.Sprintf("https://%s:%d", p.Model.Platform.Gateway.Hosts[0], p.config.secure)
}

func (p *Platform) urls() []URL {
	urls := []URL{{"gateway", p.gatewayURL(), "the services, as declared by ingress"}}
	for _, d := range dashboards {
		if d.name == "grafana" && !p.runs("Deployment", "grafana") {
			continue
		}
		urls = append(urls, URL{d.name, fmt.Sprintf("http://%s.localhost:%d", d.name, p.config.plain), d.what})
	}
	return urls
}

// runs reports whether the environment has a workload.
func (p *Platform) runs(kind, name string) bool {
	objects, err := p.environmentObjects()
	return err == nil && slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
}

// Usage is what the platform asks for and takes.
type Usage struct {
	Pods           int     `json:"pods"`
	Restarts       int64   `json:"restarts"`
	RequestedCPU   float64 `json:"requestedCPU"`   // cores
	RequestedBytes int64   `json:"requestedBytes"` // memory
	UsedCPU        float64 `json:"usedCPU"`        // cores, all of the node
	UsedBytes      int64   `json:"usedBytes"`      // memory, all of the node
}

// usage adds up what all pods ask for, and asks Docker what the nodes take.
func (p *Platform) usage(ctx context.Context) (Usage, error) {
	var u Usage
	list, err := p.client.dynamic.Resource(pods).List(ctx, metav1.ListOptions{})
	if err != nil {
		return u, err
	}
	var cpu, memory resource.Quantity
	for _, pod := range list.Items {
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		if phase == "Succeeded" || phase == "Failed" || pod.GetDeletionTimestamp() != nil {
			continue
		}
		u.Pods++
		for _, s := range containerStates(&pod) {
			u.Restarts += s.restarts
		}
		for _, list := range []string{"initContainers", "containers"} {
			found, _, _ := unstructured.NestedSlice(pod.Object, "spec", list)
			for _, item := range found {
				container, ok := item.(map[string]any)
				if !ok || list == "initContainers" && container["restartPolicy"] != "Always" {
					continue // what ends before the others start asks for nothing beside them
				}
				add(&cpu, container, "cpu")
				add(&memory, container, "memory")
			}
		}
	}
	u.RequestedCPU, u.RequestedBytes = cpu.AsApproximateFloat64(), memory.Value()
	u.UsedCPU, u.UsedBytes, err = p.nodeUsage(ctx)
	return u, err
}

func add(sum *resource.Quantity, container map[string]any, name string) {
	text, _, _ := unstructured.NestedString(container, "resources", "requests", name)
	if q, err := resource.ParseQuantity(text); err == nil {
		sum.Add(q)
	}
}

// nodeUsage is what the nodes take of this machine, as Docker has it.
func (p *Platform) nodeUsage(ctx context.Context) (cores float64, bytes int64, err error) {
	found, err := p.kind.nodes()
	if err != nil {
		return 0, 0, err
	}
	for _, n := range found {
		out, err := docker(ctx, "stats", "--no-stream", "--format", "{{.CPUPerc}} {{.MemUsage}}", n.String())
		if err != nil {
			return 0, 0, err
		}
		var percent float64
		var used string
		if _, err := fmt.Sscanf(out, "%f%% %s", &percent, &used); err != nil {
			return 0, 0, fmt.Errorf("understand `docker stats`: %q", out)
		}
		q, err := resource.ParseQuantity(strings.TrimSuffix(used, "B"))
		if err != nil {
			return 0, 0, fmt.Errorf("understand `docker stats`: %q", out)
		}
		cores += percent / 100
		bytes += q.Value()
	}
	return cores, bytes, nil
}

// Status is what runs.
type Status struct {
	Cluster  string     `json:"cluster"`
	Services []Workload `json:"services"`
	Others   []Workload `json:"others"`
	URLs     []URL      `json:"urls"`
	Usage    Usage      `json:"usage"`
}

// Workload is a service, or another part, as it runs.
type Workload struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Ready     int64  `json:"ready"`
	Wanted    int64  `json:"wanted"`
	Restarts  int64  `json:"restarts"`
	Image     string `json:"image"`
}

// Status looks at the cluster. Without one the error is ErrNoCluster.
func (p *Platform) Status(ctx context.Context) (*Status, error) {
	if _, err := p.Open(ctx); err != nil {
		return nil, err
	}
	s := &Status{Cluster: p.config.name, URLs: p.urls()}
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		probe := &unstructured.Unstructured{}
		probe.SetAPIVersion("apps/v1")
		probe.SetKind(kind)
		mapping, err := p.client.mapper.RESTMapping(probe.GroupVersionKind().GroupKind(), "v1")
		if err != nil {
			return nil, err
		}
		list, err := p.client.dynamic.Resource(mapping.Resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, o := range list.Items {
			w := Workload{Name: o.GetName(), Namespace: o.GetNamespace()}
			w.Ready, _, _ = unstructured.NestedInt64(o.Object, "status", "readyReplicas")
			w.Wanted, _, _ = unstructured.NestedInt64(o.Object, "spec", "replicas")
			if images := imagesOf([]*unstructured.Unstructured{&o}); len(images) > 0 {
				w.Image = images[0]
			}
			running, err := p.client.podsOf(ctx, &o)
			if err != nil {
				return nil, err
			}
			for _, pod := range running {
				for _, c := range containerStates(&pod) {
					w.Restarts += c.restarts
				}
			}
			if w.Namespace == p.Model.Platform.Namespace {
				s.Services = append(s.Services, w)
			} else {
				s.Others = append(s.Others, w)
			}
		}
	}
	usage, err := p.usage(ctx)
	s.Usage = usage
	return s, err
}

// Table shows a status to a person.
func (s *Status) Table() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAMESPACE\tNAME\tREADY\tRESTARTS\tIMAGE")
	for _, list := range [][]Workload{s.Services, s.Others} {
		for _, l := range list {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%d/%d\t%d\t%s\n", l.Namespace, l.Name, l.Ready, l.Wanted, l.Restarts, shortImage(l.Image))
		}
	}
	_ = w.Flush() // a Builder takes everything
	return out.String() + "\n" + URLTable(s.URLs) + "\n" + s.Usage.String() + "\n"
}

// shortImage leaves out most of a digest.
func shortImage(image string) string {
	const digest, shown = 64, 12
	if colon := strings.LastIndexByte(image, ':'); colon >= 0 && len(image)-colon-1 == digest {
		return image[:colon+1+shown]
	}
	return image
}

// URLTable shows addresses to a person.
func URLTable(urls []URL) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, u := range urls {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", u.Name, u.URL, u.What)
	}
	_ = w.Flush() // a Builder takes everything
	return out.String()
}

func (u Usage) String() string {
	return fmt.Sprintf("%d pods, %d restarts; requested %.2f CPU and %.2f GiB; the node uses %.2f CPU and %.2f GiB",
		u.Pods, u.Restarts, u.RequestedCPU, gib(u.RequestedBytes), u.UsedCPU, gib(u.UsedBytes))
}

// Logs writes the last lines of the services' containers; of all services when none is named.
func (p *Platform) Logs(ctx context.Context, out io.Writer, lines int, names ...string) error {
	if _, err := p.Open(ctx); err != nil {
		return err
	}
	if len(names) == 0 {
		for _, s := range p.Model.Services {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		list, err := p.client.dynamic.Resource(pods).Namespace(p.Model.Platform.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil {
			return err
		}
		if len(list.Items) == 0 {
			return fmt.Errorf("%s has no pod: `scaffold cluster up` starts it", name)
		}
		for _, pod := range list.Items {
			text, err := p.client.logs(ctx, pod.GetNamespace(), pod.GetName(), name, lines, false)
			if err != nil {
				text = "no log: " + err.Error() + "\n"
			}
			if _, err := fmt.Fprintf(out, "== %s\n%s", pod.GetName(), text); err != nil {
				return err
			}
		}
	}
	return nil
}

// Dashboards are the addresses for a browser.
func (p *Platform) Dashboards() []URL { return p.urls()[1:] }

// Down removes the cluster and all that it holds, and reports whether there was one.
func (p *Platform) Down(ctx context.Context) (bool, error) {
	if _, err := askDocker(ctx); err != nil {
		return false, err
	}
	unlock, err := p.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	found, err := p.kind.nodes()
	if err != nil {
		return false, err
	}
	if err := p.steps.run(ctx, step{"cluster", 2 * time.Minute, func(ctx context.Context, say sayer) (string, error) {
		if err := p.belongs(ctx, found); err != nil {
			return "", err
		}
		say("remove %d nodes", len(found))
		if err := p.kind.remove(ctx); err != nil {
			return "", err
		}
		if err := p.removeNetwork(ctx); err != nil {
			return "", err
		}
		if len(found) == 0 {
			return "there was none", nil
		}
		return p.config.name + " removed", nil
	}}); err != nil {
		return false, err
	}
	for _, left := range []string{p.makingMark(), filepath.Join(p.Root, ".trellis", "sbom")} {
		if err := os.RemoveAll(left); err != nil {
			return false, err
		}
	}
	return len(found) > 0, nil
}
