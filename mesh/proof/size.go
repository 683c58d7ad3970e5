package proof

import (
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
)

// size is how much configuration a sidecar gets.
type size struct {
	clusters, endpoints, listeners, routes int // bytes
	resources                              int
}

func (s size) total() int { return s.clusters + s.endpoints + s.listeners + s.routes }

// sizeOf is what the sidecar of the service's first pod gets on the platform at the root, where every service has that many pods.
// No Envoy runs: istiod is asked. Without scoping, the Sidecar resources are left out.
func sizeOf(t testing.TB, root fs.FS, service string, replicas int, scoped bool) (size, error) {
	declared, err := readDeclarations(root)
	if err != nil {
		return size{}, err
	}
	m, err := readManifests(root)
	if err != nil {
		return size{}, err
	}
	settings, err := readMeshConfig(root)
	if err != nil {
		return size{}, err
	}
	if !scoped {
		m.istio = slices.DeleteFunc(m.istio, func(c config.Config) bool { return c.GroupVersionKind == gvk.Sidecar })
	}
	var pods []*pod
	var first *pod
	next := firstPod
	for _, d := range m.deployments {
		for i := range replicas {
			p := replica(declared, d, i)
			p.net, next = &namespace{address: next}, next.Next()
			if pods = append(pods, p); first == nil && d.Name == service {
				first = p
			}
		}
	}
	if first == nil {
		return size{}, fmt.Errorf("there is no service %s", service)
	}
	c, err := newCluster(m.services, pods)
	if err != nil {
		return size{}, err
	}
	server := startIstiod(t, "", settings, c.objects, upstream(m.istio)).server
	proxy := server.SetupProxy(&model.Proxy{
		Type: model.SidecarProxy, ID: first.name + "." + first.namespace, IPAddresses: []string{first.net.address.String()},
		ConfigNamespace: first.namespace, DNSDomain: first.namespace + ".svc.cluster.local", Labels: first.labels,
		Metadata: &model.NodeMetadata{
			Namespace: first.namespace, ClusterID: "Kubernetes", IstioVersion: istioVersion, ServiceAccount: first.account,
			InterceptionMode: model.InterceptionRedirect, Labels: first.labels,
		},
	})
	var s size
	s.clusters = sum(&s, server.Clusters(proxy))
	s.endpoints = sum(&s, server.Endpoints(proxy))
	s.listeners = sum(&s, server.Listeners(proxy))
	s.routes = sum(&s, server.Routes(proxy))
	return s, nil
}

// sum counts the resources and gives their bytes.
func sum[T proto.Message](s *size, all []T) (bytes int) {
	s.resources += len(all)
	for _, one := range all {
		bytes += proto.Size(one)
	}
	return bytes
}
