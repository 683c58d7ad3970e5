package object

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
	telemetry "istio.io/api/telemetry/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// istioSpec is what Istio's decoder reads into.
type istioSpec interface {
	proto.Message
	Reset()
	String() string
	ProtoMessage()
}

// istioKinds are the types of the specs, by apiVersion and kind.
var istioKinds = map[string]func() istioSpec{
	"networking.istio.io/v1 DestinationRule":     func() istioSpec { return &networking.DestinationRule{} },
	"networking.istio.io/v1 Gateway":             func() istioSpec { return &networking.Gateway{} },
	"networking.istio.io/v1 ServiceEntry":        func() istioSpec { return &networking.ServiceEntry{} },
	"networking.istio.io/v1 Sidecar":             func() istioSpec { return &networking.Sidecar{} },
	"networking.istio.io/v1 VirtualService":      func() istioSpec { return &networking.VirtualService{} },
	"networking.istio.io/v1alpha3 EnvoyFilter":   func() istioSpec { return &networking.EnvoyFilter{} },
	"security.istio.io/v1 AuthorizationPolicy":   func() istioSpec { return &security.AuthorizationPolicy{} },
	"security.istio.io/v1 PeerAuthentication":    func() istioSpec { return &security.PeerAuthentication{} },
	"security.istio.io/v1 RequestAuthentication": func() istioSpec { return &security.RequestAuthentication{} },
	"telemetry.istio.io/v1 Telemetry":            func() istioSpec { return &telemetry.Telemetry{} },
}

// kubernetesKinds are the types of whole objects, by apiVersion and kind.
var kubernetesKinds = map[string]func() any{
	"v1 ConfigMap":             func() any { return &corev1.ConfigMap{} },
	"v1 LimitRange":            func() any { return &corev1.LimitRange{} },
	"v1 Namespace":             func() any { return &corev1.Namespace{} },
	"v1 PersistentVolume":      func() any { return &corev1.PersistentVolume{} },
	"v1 PersistentVolumeClaim": func() any { return &corev1.PersistentVolumeClaim{} },
	"v1 Pod":                   func() any { return &corev1.Pod{} },
	"v1 ResourceQuota":         func() any { return &corev1.ResourceQuota{} },
	"v1 Secret":                func() any { return &corev1.Secret{} },
	"v1 Service":               func() any { return &corev1.Service{} },
	"v1 ServiceAccount":        func() any { return &corev1.ServiceAccount{} },

	"apps/v1 DaemonSet":                      func() any { return &appsv1.DaemonSet{} },
	"apps/v1 Deployment":                     func() any { return &appsv1.Deployment{} },
	"apps/v1 ReplicaSet":                     func() any { return &appsv1.ReplicaSet{} },
	"apps/v1 StatefulSet":                    func() any { return &appsv1.StatefulSet{} },
	"autoscaling/v2 HorizontalPodAutoscaler": func() any { return &autoscalingv2.HorizontalPodAutoscaler{} },
	"batch/v1 CronJob":                       func() any { return &batchv1.CronJob{} },
	"batch/v1 Job":                           func() any { return &batchv1.Job{} },
	"discovery.k8s.io/v1 EndpointSlice":      func() any { return &discoveryv1.EndpointSlice{} },
	"networking.k8s.io/v1 Ingress":           func() any { return &networkingv1.Ingress{} },
	"networking.k8s.io/v1 IngressClass":      func() any { return &networkingv1.IngressClass{} },
	"networking.k8s.io/v1 NetworkPolicy":     func() any { return &networkingv1.NetworkPolicy{} },
	"policy/v1 PodDisruptionBudget":          func() any { return &policyv1.PodDisruptionBudget{} },
	"scheduling.k8s.io/v1 PriorityClass":     func() any { return &schedulingv1.PriorityClass{} },
	"storage.k8s.io/v1 StorageClass":         func() any { return &storagev1.StorageClass{} },

	"rbac.authorization.k8s.io/v1 ClusterRole":        func() any { return &rbacv1.ClusterRole{} },
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": func() any { return &rbacv1.ClusterRoleBinding{} },
	"rbac.authorization.k8s.io/v1 Role":               func() any { return &rbacv1.Role{} },
	"rbac.authorization.k8s.io/v1 RoleBinding":        func() any { return &rbacv1.RoleBinding{} },
}

// foreign reports whether an API is neither Kubernetes' own nor Istio's, or defines such an API.
func foreign(apiVersion string) bool {
	group, _, named := strings.Cut(apiVersion, "/")
	ours := !named || !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") || strings.HasSuffix(group, ".istio.io")
	return !ours || group == "apiextensions.k8s.io"
}

// everywhere are the kinds whose objects lie in no namespace.
var everywhere = []string{"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass", "Namespace", "PersistentVolume", "PriorityClass", "StorageClass"}

// Namespaced reports whether objects of this kind lie in a namespace, as far as that is known of the kind.
func (o *Object) Namespaced() bool { return o.Spec != nil && !slices.Contains(everywhere, o.Kind) }

// decodeKubernetes reads an object as the API server does with fieldValidation=Strict.
func decodeKubernetes(raw []byte, into any) (any, error) {
	strict, err := kjson.UnmarshalStrict(raw, into)
	return into, errors.Join(append(strict, err)...)
}

// istioObject is an Istio object around its spec, as istio.io/client-go has it.
type istioObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              json.RawMessage `json:"spec"`
}

// decodeIstio reads an object of a custom resource, and its spec as istiod does but for fields that istiod does not know:
// these are errors.
func decodeIstio(raw []byte, into istioSpec) (istioSpec, error) {
	var o istioObject
	if _, err := decodeKubernetes(raw, &o); err != nil {
		return into, err
	}
	if len(o.Spec) == 0 {
		return into, errors.New("there is no spec")
	}
	return into, decodeMessage(o.Spec, into)
}

func decodeMessage(raw []byte, into istioSpec) error {
	decoder := *networking.VirtualServiceUnmarshaler // the one of all of Istio's kinds: its settings are the same everywhere
	decoder.AllowUnknownFields = false
	return decoder.Unmarshal(bytes.NewReader(raw), into)
}

// MeshConfig reads the mesh configuration out of the values for Istio's chart istiod, of which later files go on top of earlier
// ones, as Helm puts them together.
func (c *Contents) MeshConfig(files ...string) (*meshconfig.MeshConfig, error) {
	merged := map[string]any{}
	for _, file := range files {
		var values struct {
			MeshConfig map[string]any `yaml:"meshConfig"`
		}
		if c.Values[file] == nil {
			return nil, fmt.Errorf("there is no %s", file)
		}
		if err := c.Values[file].Decode(&values); err != nil {
			return nil, err
		}
		overlay(merged, values.MeshConfig)
	}
	raw, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	var config meshconfig.MeshConfig
	return &config, decodeMessage(raw, &config)
}

// overlay puts values on top of others: mappings are merged, null takes away, and all else replaces.
func overlay(below, above map[string]any) {
	for key, value := range above {
		over, ok := value.(map[string]any)
		under, both := below[key].(map[string]any)
		switch {
		case value == nil:
			delete(below, key)
		case ok && both:
			overlay(under, over)
		default:
			below[key] = value
		}
	}
}
