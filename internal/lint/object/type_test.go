package object

import (
	"testing"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// TestKindsBesideServices reads what stores and telemetry are made of.
func TestKindsBesideServices(t *testing.T) {
	const text = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres, namespace: data}
spec:
  serviceName: postgres
  selector: {matchLabels: {app: postgres}}
  template:
    metadata: {labels: {app: postgres}}
    spec: {containers: [{name: postgres, image: postgres, ports: [{containerPort: 5432}]}]}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: prometheus, namespace: observability}, data: {prometheus.yml: "{}"}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: example.com/disk}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: prometheus}, rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]}
`
	contents, problems := Read([]plan.File{{Path: "a.yaml", Content: []byte(text)}})
	if len(problems) > 0 || len(contents.Objects) != 4 {
		t.Errorf("%d objects, %v", len(contents.Objects), problems)
	}
	for i, want := range []bool{true, true, false, false} {
		if o := contents.Objects[i]; o.Namespaced() != want {
			t.Errorf("%s lies in a namespace: %t", o, !want)
		}
	}
}
