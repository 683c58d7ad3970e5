//go:build kind

package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

const (
	probeProgram   = "internal/cluster/probe"
	probePort      = 7070
	probeLabel     = "app.kubernetes.io/component"
	probeName      = "probe"
	envoyStatsPort = 15090
)

// probe is a pod that sends requests where it is told to.
type probe struct {
	s              *shop
	namespace, pod string

	mu      sync.Mutex
	address string // "" until it runs
}

// pods are the probes that run.
type pods struct {
	mu      sync.Mutex
	image   string
	running map[string]*probe
}

// probeOf is a probe with the identity and the sidecar of a service: nobody can tell it from one of the service's pods, but it is
// never ready, so no request to the service comes to it.
func (s *shop) probeOf(t *testing.T, service string) *probe {
	t.Helper()
	return s.probe(t, s.namespace, service, service)
}

// probe is one with an identity and a label app; with none, it is of the namespace's default identity and of no service.
func (s *shop) probe(t *testing.T, namespace, account, app string) *probe {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	p, err := probes.get(ctx, s, namespace, account, app)
	if err != nil {
		t.Fatalf("start a probe as %s in %s: %v", account, namespace, err)
	}
	return p
}

// announce has a probe start that will be asked for soon.
func (s *shop) announce(t *testing.T, service string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := probes.make(ctx, s, s.namespace, service, service); err != nil {
		t.Fatalf("start a probe as %s: %v", service, err)
	}
}

func (l *pods) get(ctx context.Context, s *shop, namespace, account, app string) (*probe, error) {
	p, err := l.make(ctx, s, namespace, account, app)
	if err != nil {
		return nil, err
	}
	return p, p.await(ctx)
}

// make gives a probe that may not run yet.
func (l *pods) make(ctx context.Context, s *shop, namespace, account, app string) (*probe, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := probeName + "-" + account
	key := namespace + "/" + name
	if p := l.running[key]; p != nil {
		return p, nil
	}
	if l.image == "" {
		image, err := s.Load(ctx, probeProgram)
		if err != nil {
			return nil, err
		}
		l.image = image
	}
	api := s.kube.CoreV1().Pods(namespace)
	if err := api.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if err := until(ctx, func() error {
		_, err := api.Create(ctx, probePod(namespace, name, account, app, l.image), metav1.CreateOptions{})
		return err
	}); err != nil {
		return nil, err
	}
	p := &probe{s: s, namespace: namespace, pod: name}
	l.running[key] = p
	return p, nil
}

// remove ends all that run.
func (l *pods) remove() error {
	l.mu.Lock()
	running := slices.Collect(maps.Values(l.running))
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for _, p := range running {
		errs = append(errs, l.end(ctx, p))
	}
	return errors.Join(errs...)
}

// end removes a probe that no other test uses.
func (l *pods) end(ctx context.Context, p *probe) error {
	l.mu.Lock()
	delete(l.running, p.namespace+"/"+p.pod)
	l.mu.Unlock()
	err := p.s.kube.CoreV1().Pods(p.namespace).Delete(ctx, p.pod, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func probePod(namespace, name, account, app, image string) *corev1.Pod {
	yes, no, user := true, false, int64(65532)
	labels := map[string]string{probeLabel: probeName}
	if app != "" {
		labels["app"] = app
	}
	quantity := func(cpu, memory string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels, Annotations: map[string]string{
			// Its sidecar counts what Istio leaves out by default: requests and ejections by the cluster that they go to.
			"proxy.istio.io/config": `{"proxyStatsMatcher": {"inclusionRegexps": ["cluster.outbound.*(upstream_rq_[0-9]+|upstream_rq_completed|outlier_detection.ejections_active|outlier_detection.ejections_enforced_total)"]}}`,
		}},
		Spec: corev1.PodSpec{
			ServiceAccountName: account, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: new(int64),
			ReadinessGates:  []corev1.PodReadinessGate{{ConditionType: "example.com/never"}},
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{
				Name: probeName, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
				Resources: corev1.ResourceRequirements{Requests: quantity("10m", "16Mi"), Limits: quantity("500m", "128Mi")},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// await waits until the probe runs, and leads a port of this machine to it.
func (p *probe) await(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.address != "" {
		return nil
	}
	return until(ctx, func() error {
		pod, err := p.s.kube.CoreV1().Pods(p.namespace).Get(ctx, p.pod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range pod.Status.ContainerStatuses {
			if c.Name == probeName && c.State.Running != nil {
				p.address, _, err = p.s.Forward(ctx, p.namespace, p.pod, probePort) // until the tests end
				return err
			}
		}
		return fmt.Errorf("its container does not run: %s", pod.Status.Phase)
	})
}

// order tells the probe something and reads what it answers.
func (p *probe) order(ctx context.Context, method, path string, body, answer any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	p.mu.Lock()
	address := p.address
	p.mu.Unlock()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("reach the probe %s: %w", p.pod, err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reach the probe %s: %w", p.pod, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the probe %s: %s: %s", p.pod, response.Status, raw)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(raw, answer)
}

// send sends one request from the probe.
func (p *probe) send(t *testing.T, r load.Request) load.Answer {
	t.Helper()
	var a load.Answer
	if err := p.order(t.Context(), "POST", "/send", r, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// start sends load from the probe until stop, or until the test ends.
func (p *probe) start(t *testing.T, plan load.Plan) (stop func() load.Result) {
	t.Helper()
	if err := p.order(t.Context(), "POST", "/load", plan, nil); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	var result load.Result
	stop = func() load.Result {
		once.Do(func() {
			if err := p.order(context.WithoutCancel(t.Context()), "DELETE", "/load", nil, &result); err != nil {
				t.Error(err)
			}
		})
		return result
	}
	t.Cleanup(func() { stop() })
	return stop
}

// warm sends a request until it is answered as wanted: a sidecar that has just started may still be told of its routes.
func (p *probe) warm(t *testing.T, r load.Request, status int) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		if a := p.send(t, r); a.Status != status {
			return fmt.Errorf("%s %s from %s: status %d instead of %d: %s%s", r.Method, r.URL, p.pod, a.Status, status, a.Body, a.Error)
		}
		return nil
	})
}

// stats are the samples of Envoy's own statistics of the probe's sidecar.
func (p *probe) stats(t *testing.T) samples {
	t.Helper()
	return p.s.scrape(t, p.namespace, p.pod, envoyStatsPort, "/stats/prometheus")
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
