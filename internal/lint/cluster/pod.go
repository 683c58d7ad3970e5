package cluster

import (
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/trellis-mesh/trellis/internal/lint/object"
)

// pods checks that every pod of a service has a sidecar, and that nothing goes past it: without one, no policy holds.
func (c *checks) pods() {
	ns := c.model.Platform.Namespace
	each(c, func(o *object.Object, _ *corev1.Namespace) {
		if label := o.Spec.(*corev1.Namespace).Labels["istio-injection"]; o.Name == ns && label != "enabled" {
			c.add(o.At("metadata", "labels"), "pods in %s get no sidecar: its label istio-injection must be enabled", ns)
		}
	})
	each(c, func(o *object.Object, d *appsv1.Deployment) {
		if o.Namespace == ns {
			c.meshed(o, d.Spec.Template)
		}
	})
}

func (c *checks) meshed(o *object.Object, template corev1.PodTemplateSpec) {
	at := func(more ...any) []any { return append([]any{"spec", "template"}, more...) }
	for field, all := range map[string]map[string]string{"labels": template.Labels, "annotations": template.Annotations} {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			past := key == "sidecar.istio.io/inject" && all[key] != "true"
			past = past || strings.HasPrefix(key, "traffic.sidecar.istio.io/") || key == "sidecar.istio.io/interceptionMode"
			if past {
				c.add(o.At(at("metadata", field, key)...), "requests of the %s go past its sidecar: %s is %q", o, key, all[key])
			}
		}
	}
	if template.Spec.HostNetwork {
		c.add(o.At(at("spec", "hostNetwork")...), "requests of the %s go past its sidecar: it has the network of its node", o)
	}
}
