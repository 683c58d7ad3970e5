// Package proof shows with traffic that the mesh lets through what the declarations say, and nothing else.
//
// A real istiod, run in the test's own process, reads the YAML that scaffold renders, unmodified, and configures a real Envoy
// for every pod. A pod is a network namespace whose connections are redirected to its Envoy as istio-init does it, with a small
// program as its application and a certificate for its identity. Tests then send requests and count what arrives: what the YAML
// says is never concluded from the YAML.
//
// What is expected is read from the declarations by code of this package alone (see declarations), so that an error of the
// generator does not hide itself. From Trellis it uses the command and the files, not the packages: the versions of istiod's
// many dependencies and those of the platform stay apart.
//
// It needs Linux with user namespaces, and the Envoy that .ci/setup fetches; it needs no root and touches nothing outside of its
// namespaces. What differs from a cluster: Envoy is the upstream build without Istio's own filters (metadata exchange, ALPN,
// istio.stats), certificates come from a small SDS server in place of pilot-agent, and there is no kubelet.
//
//	make mesh-proof
package proof
