package proof

import (
	"fmt"
	"maps"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// cluster is what Kubernetes would know: pods, services with addresses, and which pods are behind which service.
type cluster struct {
	services  []*corev1.Service
	addresses map[string]netip.Addr // by host
	next      netip.Addr
	objects   []runtime.Object
}

func newCluster(services []*corev1.Service, pods []*pod, others ...runtime.Object) (*cluster, error) {
	c := &cluster{addresses: map[string]netip.Addr{}, next: firstService, objects: others}
	for _, p := range pods {
		c.objects = append(c.objects, p.object())
	}
	for _, s := range services {
		s = s.DeepCopy()
		for i, port := range s.Spec.Ports {
			if port.TargetPort == (intstr.IntOrString{}) {
				s.Spec.Ports[i].TargetPort = intstr.FromInt32(port.Port) // as the API server fills it in
			}
		}
		if s.Spec.ClusterIP != corev1.ClusterIPNone {
			s.Spec.ClusterIP = c.next.String()
			c.addresses[host(s.Name, s.Namespace)] = c.next
			c.next = c.next.Next()
		}
		slice, err := endpoints(s, pods)
		if err != nil {
			return nil, err
		}
		c.services = append(c.services, s)
		c.objects = append(c.objects, s, slice)
	}
	return c, nil
}

// object is the pod as the API server has it.
func (p *pod) object() *corev1.Pod {
	all := maps.Clone(p.labels)
	if p.meshed() {
		all["security.istio.io/tlsMode"] = "istio" // by the injector
	}
	ip := p.net.address.String()
	container := corev1.Container{Name: p.name}
	for name, port := range p.ports {
		container.Ports = append(container.Ports, corev1.ContainerPort{Name: name, ContainerPort: port})
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.name, Namespace: p.namespace, Labels: all},
		Spec:       corev1.PodSpec{ServiceAccountName: p.account, NodeName: "node", Containers: []corev1.Container{container}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

// endpoints are the pods that the service selects, with the ports that its target ports mean.
func endpoints(s *corev1.Service, pods []*pod) (*discoveryv1.EndpointSlice, error) {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: s.Name + "-1", Namespace: s.Namespace, Labels: map[string]string{discoveryv1.LabelServiceName: s.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	var behind *pod
	selector := labels.SelectorFromSet(s.Spec.Selector)
	for _, p := range pods {
		if p.namespace != s.Namespace || !selector.Matches(labels.Set(p.labels)) {
			continue
		}
		behind = p
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{p.net.address.String()},
			Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: p.name, Namespace: p.namespace},
		})
	}
	if behind == nil {
		return nil, fmt.Errorf("the service %s selects no pod", s.Name)
	}
	for _, port := range s.Spec.Ports {
		number, err := behind.target(port)
		if err != nil {
			return nil, fmt.Errorf("the service %s: %w", s.Name, err)
		}
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{
			Name: &port.Name, Port: &number, Protocol: new(corev1.ProtocolTCP), AppProtocol: port.AppProtocol,
		})
	}
	return slice, nil
}

// target is the container's port that a service's port stands for.
func (p *pod) target(port corev1.ServicePort) (int32, error) {
	switch {
	case port.TargetPort.Type == intstr.String:
		if number, ok := p.ports[port.TargetPort.StrVal]; ok {
			return number, nil
		}
		return 0, fmt.Errorf("the port %s: no container of %s has a port %q", port.Name, p.name, port.TargetPort.StrVal)
	case port.TargetPort.IntVal != 0:
		return port.TargetPort.IntVal, nil
	}
	return port.Port, nil
}
