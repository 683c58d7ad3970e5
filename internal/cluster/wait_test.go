package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// workload is a Deployment none of whose pods is ready yet.
func workload(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return object(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: shop, generation: 2}
spec: {replicas: 1, selector: {matchLabels: {app: orders}}, template: {}}
status: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 0}
`)
}

// podIn is the pod of workload, with the state of its container.
func podIn(t *testing.T, phase, status string) *unstructured.Unstructured {
	t.Helper()
	return object(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: orders-1, namespace: shop, uid: u-1, labels: {app: orders}}
status:
  phase: %s
%s`, phase, status))
}

const (
	imagePull = `
  containerStatuses:
    - {name: orders, image: "registry.example.com/orders:v1", ready: false, restartCount: 0,
       state: {waiting: {reason: ImagePullBackOff, message: "dial tcp: lookup registry.example.com: no such host"}}}
`
	crashLoop = `
  containerStatuses:
    - {name: istio-proxy, ready: true, restartCount: 0}
    - {name: orders, ready: false, restartCount: 3, state: {waiting: {reason: CrashLoopBackOff, message: "back-off 40s"}}}
`
	unscheduled = `
  conditions:
    - {type: PodScheduled, status: "False", message: "0/1 nodes are available: 1 Insufficient cpu."}
`
)

func TestImageThatTheNodeCannotPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := workload(t)
		a := newAPI(t, o, podIn(t, "Pending", imagePull))
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		err := a.waitReady(ctx, []*unstructured.Unstructured{o}, quietly)
		mustSay(t, err, "Deployment shop/orders: the node cannot pull the image registry.example.com/orders:v1: dial tcp",
			"images.mirror", "images.references", "this machine's Docker")
		if took := time.Since(began); took < pullPatience || took > pullPatience+2*time.Second {
			t.Errorf("it took %s: a registry may hiccup, but not for long", took)
		}
	})
}

func TestContainerThatCrashesIsShownWithItsLastLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := workload(t)
		warning := object(t, `
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: shop}
type: Warning
reason: BackOff
message: Back-off restarting failed container
involvedObject: {name: orders-1}
`)
		a := newAPI(t, o, podIn(t, "Running", crashLoop), warning)
		a.log = "orders: cannot start: no database\nsecond line\n"
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		err := a.waitReady(ctx, []*unstructured.Unstructured{o}, quietly)
		mustSay(t, err, "the container orders of the pod orders-1 does not start (CrashLoopBackOff)", "\npod orders-1: Running",
			"\n  BackOff: Back-off restarting failed container", "\n  container orders: CrashLoopBackOff back-off 40s, 3 restarts",
			"\n    orders: cannot start: no database\n    second line")
		if strings.Contains(err.Error(), "istio-proxy") {
			t.Errorf("a container that is ready is no evidence: %v", err)
		}
		if took := time.Since(began); took < crashPatience || took > crashPatience+2*time.Second {
			t.Errorf("it took %s: a store may still come, but not for ever", took)
		}
	})
}

func TestCrashesThatEndAreForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := workload(t)
		a := newAPI(t, o, podIn(t, "Running", crashLoop))
		go func() {
			time.Sleep(crashPatience / 2) // in a bubble
			ready := o.DeepCopy()
			if err := unstructured.SetNestedField(ready.Object, int64(1), "status", "readyReplicas"); err != nil {
				t.Error(err)
			}
			if err := a.fake.Tracker().Update(deployments, ready, "shop"); err != nil {
				t.Error(err)
			}
		}()
		if err := a.waitReady(t.Context(), []*unstructured.Unstructured{o}, quietly); err != nil {
			t.Error(err)
		}
	})
}

func TestLimitShowsWhyPodsArePending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := workload(t)
		a := newAPI(t, o, podIn(t, "Pending", unscheduled))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var said string
		err := a.waitReady(ctx, []*unstructured.Unstructured{o}, func(format string, args ...any) { said = fmt.Sprintf(format, args...) })
		mustSay(t, err, "these did not become ready in time: orders", "Deployment shop/orders: 0 of 1 pods are ready",
			"pod orders-1: Pending", "not scheduled: 0/1 nodes are available: 1 Insufficient cpu.")
		if said != "wait for orders" {
			t.Errorf("progress: %q", said)
		}
	})
}

func TestJobThatFailedIsNotWaitedFor(t *testing.T) {
	job := object(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: orders-migrate, namespace: shop}
status: {conditions: [{type: Failed, status: "True", message: Job has reached the specified backoff limit}]}
`)
	a := newAPI(t, job)
	err := a.waitReady(t.Context(), []*unstructured.Unstructured{job}, quietly)
	mustSay(t, err, "Job shop/orders-migrate: it failed: Job has reached the specified backoff limit")
}

func TestUnready(t *testing.T) {
	for _, c := range []struct{ name, kind, spec, status, want string }{
		{"all are new and ready", "Deployment", "replicas: 2", "observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2", ""},
		{"none is wanted", "Deployment", "replicas: 0", "observedGeneration: 2", ""},
		{"the controller has not looked", "Deployment", "replicas: 2", "observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2", "its change was not seen yet"},
		{"one is not ready", "Deployment", "replicas: 2", "observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 1", "1 of 2 pods are ready"},
		{"an old one is still there", "Deployment", "replicas: 1", "observedGeneration: 2, replicas: 2, updatedReplicas: 1, readyReplicas: 2", "1 are of an older one"},
		{"replicas default to one", "StatefulSet", "serviceName: x", "observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1", ""},
		{"a store is old", "StatefulSet", "replicas: 1", "observedGeneration: 2, replicas: 1, updatedReplicas: 0, readyReplicas: 1", "1 of 1 pods are ready, 0 are of the latest version, 1 are"},
		{"a pod for each node", "DaemonSet", "x: 1", "observedGeneration: 2, desiredNumberScheduled: 3, numberReady: 3, updatedNumberScheduled: 3", ""},
		{"a node lacks its pod", "DaemonSet", "x: 1", "observedGeneration: 2, desiredNumberScheduled: 3, numberReady: 2, updatedNumberScheduled: 3", "2 of 3 pods"},
		{"it ended well", "Job", "x: 1", `conditions: [{type: Complete, status: "True"}]`, ""},
		{"it runs", "Job", "x: 1", "active: 1", "it has not ended"},
	} {
		t.Run(c.kind+": "+c.name, func(t *testing.T) {
			version := map[bool]string{true: "batch/v1", false: "apps/v1"}[c.kind == "Job"]
			o := object(t, fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: x, namespace: shop, generation: 2}, spec: {%s}, status: {%s}}", version, c.kind, c.spec, c.status))
			got, err := newAPI(t, o).unready(t.Context(), o)
			if err != nil || (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestPodOf(t *testing.T) {
	a := newAPI(t, podIn(t, "Running", "  conditions: [{type: Ready, status: \"False\"}]\n"))
	if _, err := a.podOf(t.Context(), "shop", "app=orders"); err == nil {
		t.Error("a pod that is not ready is given")
	}
	a = newAPI(t, podIn(t, "Running", "  conditions: [{type: Ready, status: \"True\"}]\n"))
	if got, err := a.podOf(t.Context(), "shop", "app=orders"); got != "orders-1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
