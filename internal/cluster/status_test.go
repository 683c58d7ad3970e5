package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsageCountsWhatRuns(t *testing.T) {
	newFakeDocker(t, map[string]string{"ps": "shop-control-plane\nshop-worker\n", "stats": "150.00% 1.5GiB / 8GiB"})
	p := small(t, Options{}, nil)
	p.client = newAPI(t, object(t, `
apiVersion: v1
kind: Pod
metadata: {name: orders, namespace: shop}
spec:
  initContainers:
    - {name: istio-init, resources: {requests: {cpu: "1", memory: 1Gi}}}
    - {name: istio-proxy, restartPolicy: Always, resources: {requests: {cpu: 10m, memory: 40Mi}}}
  containers:
    - {name: orders, resources: {requests: {cpu: 20m, memory: 24Mi}}}
    - {name: unbounded}
status: {phase: Running, containerStatuses: [{name: orders, restartCount: 2}]}
`), object(t, `
apiVersion: v1
kind: Pod
metadata: {name: migrate, namespace: shop}
spec: {containers: [{name: migrate, resources: {requests: {cpu: "4", memory: 4Gi}}}]}
status: {phase: Succeeded, containerStatuses: [{name: migrate, restartCount: 7}]}
`)).client
	got, err := p.usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Usage{Pods: 1, Restarts: 2, RequestedCPU: 0.03, RequestedBytes: 64 << 20, UsedCPU: 3, UsedBytes: 3 << 30}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := got.String(); text != "1 pods, 2 restarts; requested 0.03 CPU and 0.06 GiB; the node uses 3.00 CPU and 3.00 GiB" {
		t.Error(text)
	}
}

func TestUsageThatDockerDoesNotTell(t *testing.T) {
	for _, answer := range []string{"--", "1% lots / 8GiB", "!no such container"} {
		newFakeDocker(t, map[string]string{"ps": "shop-control-plane\n", "stats": answer})
		if _, _, err := small(t, Options{}, nil).nodeUsage(t.Context()); err == nil {
			t.Errorf("docker stats answers %q, and that is understood", answer)
		}
	}
}

func TestStatusTable(t *testing.T) {
	s := Status{
		Services: []Workload{{Name: "orders", Namespace: "shop", Ready: 1, Wanted: 2, Restarts: 3,
			Image: "ko.local/shop/orders:60fb5b5c15e5d45b98b0a08bab789e07339d108b4237c90c9b860a591901f6e0"}},
		Others: []Workload{{Name: "postgres", Namespace: "data", Ready: 1, Wanted: 1, Image: "docker.io/library/postgres:17.6"}},
		URLs:   []URL{{"gateway", "https://shop.localhost:8443", "the services"}},
	}
	want := `NAMESPACE  NAME      READY  RESTARTS  IMAGE
shop       orders    1/2    3         ko.local/shop/orders:60fb5b5c15e5
data       postgres  1/1    0         docker.io/library/postgres:17.6

gateway  https://shop.localhost:8443  the services

0 pods, 0 restarts; requested 0.00 CPU and 0.00 GiB; the node uses 0.00 CPU and 0.00 GiB
`
	if diff := cmp.Diff(want, s.Table()); diff != "" {
		t.Error(diff)
	}
}
