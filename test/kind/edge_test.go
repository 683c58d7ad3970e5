//go:build kind

package kind

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// host is a service's name on the cluster.
func (s *shop) host(service string) string {
	return fmt.Sprintf("http://%s.%s.svc.cluster.local:8080", service, s.namespace)
}

// requestTo is one for an operation of a service, with a token of all scopes.
func (s *shop) requestTo(service string, o *spec.Operation, token string) load.Request {
	id := map[string]string{"catalog": s.product, "users": s.customer, "orders": s.order}[service]
	segments := strings.Split(o.Path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = id
			if id == "" {
				segments[i] = "1"
			}
		}
	}
	r := load.Request{Name: o.ID, Method: o.Method, URL: s.host(service) + strings.Join(segments, "/"), Header: map[string]string{"Authorization": "Bearer " + token}}
	if o.Method == "POST" || o.Method == "PUT" {
		r.Body = "{}"
	}
	return r
}

// declared reports whether a service may ask for an operation: it says so, or verifies tokens and needs the keys.
func declared(m *spec.Model, caller, callee *spec.Service, operation string) bool {
	if call := caller.Calls[callee.Name]; call != nil && slices.Contains(call.Operations, operation) {
		return true
	}
	keys := operation == "getJwks" || operation == "getDiscovery"
	return keys && callee == m.Issuer() && caller.Contract != nil && caller.Contract.Secured()
}

// refusal says who refused a request; "" when it came to the service.
func refusal(a load.Answer) string {
	switch {
	case a.Status == http.StatusForbidden && strings.Contains(a.Body, "RBAC"):
		return "403 by the callee's sidecar"
	case a.Status == 0:
		return "no route in the caller's sidecar"
	case a.Status == http.StatusBadGateway && a.Body == "":
		return "502 by the caller's sidecar"
	}
	return ""
}

// answered reports whether a request came to the service: it did what it was asked for, or said itself why not. What is sent is not
// always something that it can do.
func answered(a load.Answer) bool {
	ownRefusal := a.Status/100 == 4 && refusal(a) == "" && strings.HasPrefix(a.Body, "{")
	return a.Status == http.StatusOK || a.Status == http.StatusNoContent || ownRefusal
}

func TestOnlyDeclaredEdgesAreOpen(t *testing.T) {
	s := theShop(t)
	token, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]any{{"FROM", "TO", "OPERATION", "DECLARED", "ANSWER"}}
	open, closed := 0, 0
	for i, caller := range s.Model.Services {
		p := s.probeOf(t, caller.Name)
		if next := i + 1; next < len(s.Model.Services) {
			s.announce(t, s.Model.Services[next].Name)
		}
		for _, callee := range s.Model.Services {
			if callee == caller || callee.Contract == nil {
				continue
			}
			for _, id := range sorted(callee.Contract.Operations) {
				request := s.requestTo(callee.Name, callee.Contract.Operations[id], token)
				allowed := declared(s.Model, caller, callee, id)
				a := p.send(t, request)
				for attempt := 0; allowed && !answered(a) && attempt < 20; attempt++ { // connections are still to be opened
					pause(t, 500*time.Millisecond)
					a = p.send(t, request)
				}
				by, mark := refusal(a), "no"
				text := by
				if allowed {
					open, mark = open+1, "yes"
				} else {
					closed++
				}
				if by == "" {
					text = fmt.Sprint(a.Status)
				}
				rows = append(rows, []any{caller.Name, callee.Name, id, mark, text})
				if allowed && !answered(a) {
					t.Errorf("%s may ask %s for %s, and got %d: %s%s", caller.Name, callee.Name, id, a.Status, a.Body, a.Error)
				}
				if !allowed && by == "" {
					t.Errorf("%s may not ask %s for %s, and got %d", caller.Name, callee.Name, id, a.Status)
				}
			}
		}
		if err := probes.end(t.Context(), p); err != nil { // all of them at once would take more than there is
			t.Error(err)
		}
	}
	stranger := s.probe(t, s.namespace, "default", "")
	for _, callee := range s.Model.Services {
		a := stranger.send(t, load.Request{Method: "GET", URL: s.host(callee.Name) + "/health/live"})
		rows = append(rows, []any{"a stranger", callee.Name, "", "no", refusal(a)})
		if refusal(a) == "" {
			t.Errorf("a pod of no service asked %s, and got %d", callee.Name, a.Status)
		}
		closed++
	}
	table(t, fmt.Sprintf("%d edges that are open, %d that are not, from real pods", open, closed), rows...)
}

func TestPlaintextIsRefused(t *testing.T) {
	s := theShop(t)
	const outside = "kind-outside-the-mesh"
	namespaces := s.kube.CoreV1().Namespaces()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: outside}}
	if _, err := namespaces.Create(t.Context(), made, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	p := s.probe(t, outside, "default", "")
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := probes.end(ctx, p); err != nil {
			t.Error(err)
		}
		if err := namespaces.Delete(ctx, outside, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := until(ctx, func() error {
			if _, err := namespaces.Get(ctx, outside, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return fmt.Errorf("the namespace %s is still there", outside)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	gateway := load.Request{Method: "GET", URL: "http://gateway.istio-ingress/", Header: map[string]string{"Host": s.Model.Platform.Gateway.Hosts[0]}}
	eventually(t, 30*time.Second, func() error { // the pod has a network
		if a := p.send(t, gateway); a.Status == 0 {
			return fmt.Errorf("a pod outside the mesh does not reach the gateway: %s", a.Error)
		}
		return nil
	})
	rows := [][]any{{"TO", "BY", "ANSWER"}, {"the gateway's plain port", gateway.URL, fmt.Sprint(p.send(t, gateway).Status)}}
	for _, service := range s.Model.Services {
		urls := []string{s.host(service.Name) + "/health/live", strings.Replace(s.host(service.Name), ":8080", ":9090/metrics", 1)}
		for _, pod := range s.readyPods(t, "app="+service.Name) {
			urls = append(urls, "http://"+pod.Status.PodIP+":8080/health/live")
		}
		for _, url := range urls {
			a := p.send(t, load.Request{Method: "GET", URL: url})
			text := a.Error
			if at := strings.LastIndex(text, ": "); at >= 0 {
				text = text[at+2:]
			}
			rows = append(rows, []any{service.Name, url, "none: " + text})
			if a.Status != 0 {
				t.Errorf("%s was answered in plaintext: %d", url, a.Status)
			}
		}
	}
	table(t, "Plaintext from a pod outside the mesh", rows...)
}
