package proof

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
)

// operated are the stores of production, whose pods an operator makes, with the labels that it gives them.
var operated = map[string]struct {
	file   string
	labels map[string]string
	port   int32
}{
	"kafka":    {"strimzi/kafka.yaml", map[string]string{"app": "kafka", "strimzi.io/cluster": "kafka", "strimzi.io/broker-role": "true"}, 9092},
	"postgres": {"cloudnative-pg/postgres.yaml", map[string]string{"app": "postgres", "cnpg.io/cluster": "postgres"}, 5432},
}

// TestOperatedStores asks istiod what sidecars are told of production's stores: a service reaches each broker by the address of its
// pod, and the instance of PostgreSQL that writes; a standby reaches that one, too; a collector and Jaeger reach each broker; and each
// connection shows who it is from.
// No Envoy runs, and no store.
func TestOperatedStores(t *testing.T) {
	root := os.DirFS("../..")
	declared, err := readDeclarations(root)
	if err != nil {
		t.Fatal(err)
	}
	m, err := readManifests(root)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := readMeshConfig(root)
	if err != nil {
		t.Fatal(err)
	}
	m.services = nil
	var pods []*pod
	next := firstPod
	join := func(p *pod) *pod {
		p.identity, p.net, next = declared.spiffe(p.namespace, p.account), &namespace{address: next}, next.Next()
		pods = append(pods, p)
		return p
	}
	for name, store := range operated {
		text, err := os.ReadFile("../environments/production/components/" + store.file)
		if err == nil {
			err = m.add(string(text))
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			labels := maps.Clone(store.labels)
			if name == "postgres" {
				labels["cnpg.io/instanceRole"] = []string{"primary", "replica", "replica"}[i]
			}
			join(&pod{name: fmt.Sprintf("%s-%d", name, i), namespace: "data", account: name, labels: labels, ports: map[string]int32{"store": store.port}})
		}
	}
	for _, file := range []string{"sidecar.yaml", "jaeger.yaml"} { // what those who pass spans by Kafka know
		text, err := os.ReadFile("../environments/production/components/observability/" + file)
		if err == nil {
			err = m.add(string(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	watcher := func(name string) *pod {
		return join(&pod{name: name + "-0", namespace: "observability", account: name, labels: map[string]string{"app": name}})
	}
	for _, s := range m.services {
		if s.Name == "postgres" { // CloudNativePG makes one more
			own := s.DeepCopy()
			own.Name = "postgres-rw"
			m.services = append(m.services, own)
			break
		}
	}
	collector, jaeger := watcher("collector"), watcher("jaeger")
	service := join(&pod{name: "orders-0", namespace: "trellis", account: "orders", labels: map[string]string{"app": "orders", "version": "v1"}})
	c, err := newCluster(m.services, pods)
	if err != nil {
		t.Fatal(err)
	}
	server := startIstiod(t, "", settings, c.objects, upstream(m.istio)).server

	var brokers []string
	var standby *pod
	for _, p := range pods {
		switch {
		case p.account == "kafka":
			brokers = append(brokers, fmt.Sprintf("%s_9092", p.net.address))
		case p.labels["cnpg.io/instanceRole"] == "replica":
			standby = p
		}
	}
	address := func(service string) string { return fmt.Sprintf("%s_5432", c.addresses[host(service, "data")]) }
	for _, test := range []struct {
		name      string
		from      *pod
		listeners []string
		clusters  []string
	}{
		{"a service", service, slices.Concat(brokers, []string{address("postgres")}), []string{"kafka", "postgres"}},
		{"a standby", standby, []string{address("postgres-rw")}, []string{"postgres-rw"}},
		{"a collector", collector, brokers, []string{"kafka"}},
		{"Jaeger", jaeger, brokers, []string{"kafka"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			proxy := server.SetupProxy(&model.Proxy{
				Type: model.SidecarProxy, ID: test.from.name + "." + test.from.namespace, IPAddresses: []string{test.from.net.address.String()},
				ConfigNamespace: test.from.namespace, DNSDomain: test.from.namespace + ".svc.cluster.local", Labels: test.from.labels,
				Metadata: &model.NodeMetadata{
					Namespace: test.from.namespace, ClusterID: "Kubernetes", IstioVersion: istioVersion, ServiceAccount: test.from.account,
					InterceptionMode: model.InterceptionRedirect, Labels: test.from.labels,
				},
			})
			var listeners []string
			for _, l := range server.Listeners(proxy) {
				if strings.HasSuffix(l.Name, "_9092") || strings.HasSuffix(l.Name, "_5432") {
					listeners = append(listeners, l.Name)
				}
			}
			slices.Sort(listeners)
			slices.Sort(test.listeners)
			if !slices.Equal(listeners, test.listeners) {
				t.Errorf("there are listeners %v, want %v", listeners, test.listeners)
			}
			for _, store := range test.clusters {
				showsIdentity(t, server, proxy, store)
			}
		})
	}
}

// showsIdentity checks that connections to a store are mutual TLS of the mesh.
func showsIdentity(t *testing.T, server *xds.FakeDiscoveryServer, proxy *model.Proxy, store string) {
	t.Helper()
	found := false
	for _, c := range server.Clusters(proxy) {
		if !strings.HasSuffix(c.Name, "|"+host(store, "data")) || !strings.HasPrefix(c.Name, "outbound|") {
			continue
		}
		found = true
		secured := strings.Contains(c.GetTransportSocket().GetName(), "tls")
		for _, m := range c.GetTransportSocketMatches() {
			secured = secured || m.GetName() == "tlsMode-istio"
		}
		if !secured {
			t.Errorf("connections to %s are in plain text", store)
		}
		if wanted := store == "kafka"; (c.GetType() == clusterv3.Cluster_ORIGINAL_DST) != wanted {
			t.Errorf("connections to %s are by %s", store, c.GetType())
		}
	}
	if !found {
		t.Errorf("%s is not known", store)
	}
}
