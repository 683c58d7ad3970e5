package proof

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Where what is not the platform's own stands, as its files name it.
const (
	gatewayNamespace       = "istio-ingress"
	dataNamespace          = "data"
	observabilityNamespace = "observability"
)

// Pods that stand around the services. Those of other namespaces are named with them: no service can have such a name.
const (
	gatewayPod    = "gateway." + gatewayNamespace
	prometheusPod = "prometheus." + observabilityNamespace
	collectorPod  = "collector." + observabilityNamespace
	outsiderPod   = "outsider" // has an identity of the mesh, and no part in the platform
	strangerPod   = "stranger" // is not in the mesh
)

// outsiderPort is where the outsider would answer, if anybody were let in.
const outsiderPort = 8080

// storePorts are the ports of the stores.
var storePorts = map[string]int32{"postgres": 5432, "redis": 6379, "kafka": 9092}

// surroundings are the pods that Istio's charts, the stores and the observability stack would bring, and hosts outside.
func (m *mesh) surroundings() []*pod {
	meshed := func(name, namespace string, ports map[string]int32) *pod {
		account, _, _ := strings.Cut(name, ".")
		return &pod{
			name: name, namespace: namespace, account: account, identity: m.declared.spiffe(namespace, account),
			labels: map[string]string{"app": account}, ports: ports,
		}
	}
	gateway := meshed(gatewayPod, gatewayNamespace, nil)
	gateway.gateway, gateway.labels["istio"] = true, "ingress" // as mesh/istio/gateway.yaml says
	all := []*pod{
		gateway,
		meshed(prometheusPod, observabilityNamespace, nil),
		meshed(collectorPod, observabilityNamespace, map[string]int32{"grpc-otlp": 4317, "http-otlp": 4318}),
		meshed(outsiderPod, m.declared.Namespace, map[string]int32{"http": outsiderPort, "http-metrics": adminPort}),
		{name: strangerPod},
	}
	stores, hosts := map[string]bool{}, map[string]map[string]int32{}
	for _, s := range m.declared.services {
		for _, store := range s.stores() {
			stores[store] = true
		}
		for _, e := range s.Externals {
			if hosts[e.Host] == nil {
				hosts[e.Host] = map[string]int32{}
			}
			hosts[e.Host][e.TLS] = int32(e.Port) //nolint:gosec // a port
		}
	}
	for name, port := range storePorts {
		if stores[name] {
			all = append(all, meshed(name, dataNamespace, map[string]int32{"tcp-" + name: port}))
		}
	}
	for name, ports := range hosts {
		all = append(all, &pod{name: name, ports: ports})
	}
	return all
}

// surroundingServices are the Services in front of them.
func (m *mesh) surroundingServices() []*corev1.Service {
	var all []*corev1.Service
	for _, p := range m.pods {
		ports := p.ports
		if p.gateway {
			ports = map[string]int32{"http2": 80, "https": 443} // as Istio's chart has it
		}
		if !p.meshed() || p.labels["version"] != "" || len(ports) == 0 {
			continue
		}
		s := &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{"app": p.account}}}
		s.Name, s.Namespace = p.account, p.namespace
		for name, port := range ports {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: name, Port: port, Protocol: corev1.ProtocolTCP})
		}
		all = append(all, s)
	}
	return all
}
