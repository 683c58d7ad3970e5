//go:build kind

package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

// rolledOut waits until all pods of a deployment are of its latest version, ready, and the older ones are gone.
func (s *shop) rolledOut(ctx context.Context, name string) error {
	return until(ctx, func() error {
		d, err := s.kube.AppsV1().Deployments(s.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		wanted := int32(1)
		if d.Spec.Replicas != nil {
			wanted = *d.Spec.Replicas
		}
		at := d.Status
		if at.ObservedGeneration < d.Generation || at.UpdatedReplicas != wanted || at.ReadyReplicas != wanted || at.Replicas != wanted {
			return fmt.Errorf("%s: %d of %d pods are ready, %d are of the latest version, %d in all", name, at.ReadyReplicas, wanted, at.UpdatedReplicas, at.Replicas)
		}
		list, err := s.kube.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(d.Spec.Selector)})
		if err != nil {
			return err
		}
		for _, pod := range list.Items { // the deployment's status may be of a moment ago
			if pod.DeletionTimestamp != nil || !ready(pod) {
				return fmt.Errorf("%s: the pod %s comes or goes", name, pod.Name)
			}
		}
		if len(list.Items) != int(wanted) {
			return fmt.Errorf("%s: %d pods of %d are there", name, len(list.Items), wanted)
		}
		return nil
	})
}

func (s *shop) waitRollout(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := s.rolledOut(ctx, name); err != nil {
		t.Fatal(err)
	}
}

// scale gives services as many pods each, until the test ends. An autoscaler would take them away again: it is told so, too.
func (s *shop) scale(t *testing.T, pods int32, services ...string) {
	t.Helper()
	var before []scaled
	for _, service := range services {
		before = append(before, s.scaleOf(t, service))
	}
	t.Cleanup(func() {
		try := func(fn func(ctx context.Context) error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
			defer cancel()
			if err := fn(ctx); err != nil {
				t.Error(err)
			}
		}
		for _, b := range before {
			try(func(ctx context.Context) error { return s.setReplicas(ctx, b.service, b.pods, b.autoscaler) })
		}
		for _, b := range before { // they go beside each other
			try(func(ctx context.Context) error { return s.rolledOut(ctx, b.service) })
			if b.autoscaler != nil {
				try(func(ctx context.Context) error {
					return s.bound(ctx, b.service, *b.autoscaler.Spec.MinReplicas, b.autoscaler.Spec.MaxReplicas)
				})
			}
		}
	})
	for _, b := range before {
		if err := s.setReplicas(t.Context(), b.service, pods, b.autoscaler); err != nil {
			t.Fatal(err)
		}
	}
	for _, service := range services {
		s.waitRollout(t, service)
	}
}

// scaled is how many pods a service has, and by what autoscaler; nil when there is none.
type scaled struct {
	service    string
	pods       int32
	autoscaler *autoscalingv2.HorizontalPodAutoscaler
}

func (s *shop) scaleOf(t *testing.T, service string) scaled {
	t.Helper()
	deployment, err := s.kube.AppsV1().Deployments(s.namespace).Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	autoscaler, err := s.kube.AutoscalingV2().HorizontalPodAutoscalers(s.namespace).Get(t.Context(), service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return scaled{service, *deployment.Spec.Replicas, nil}
	}
	if err != nil {
		t.Fatal(err)
	}
	return scaled{service, *deployment.Spec.Replicas, autoscaler}
}

func (s *shop) setReplicas(ctx context.Context, service string, n int32, autoscaler *autoscalingv2.HorizontalPodAutoscaler) error {
	if autoscaler != nil {
		if err := s.bound(ctx, service, n, n); err != nil {
			return err
		}
	}
	deployments := s.kube.AppsV1().Deployments(s.namespace)
	scale, err := deployments.GetScale(ctx, service, metav1.GetOptions{})
	if err != nil {
		return err
	}
	scale.Spec.Replicas = n
	_, err = deployments.UpdateScale(ctx, service, scale, metav1.UpdateOptions{})
	return err
}

func (s *shop) bound(ctx context.Context, service string, least, most int32) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"minReplicas": least, "maxReplicas": most}})
	if err != nil {
		return err
	}
	_, err = s.kube.AutoscalingV2().HorizontalPodAutoscalers(s.namespace).Patch(ctx, service, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// rate of the load while something changes, in requests a second: what 2 processors bear beside the change.
const rate = 40

// batches are the services, several at a time: so many may change at once beside the load, and one after the other would take long.
func (s *shop) batches() [][]string {
	const most = 3
	var names []string
	for _, service := range s.Model.Services {
		names = append(names, service.Name)
	}
	return slices.Collect(slices.Chunk(names, most))
}

func TestRollingUpdateFailsNoRequest(t *testing.T) {
	s := theShop(t)
	rows := [][]any{{"SERVICES", "ROLLED OUT IN", "SENT", "FAILED", "P99", "MAX"}}
	s.start(t, rate, s.traffic(t)).Stop()
	for _, batch := range s.batches() {
		run := s.goOn(t, rate, s.traffic(t))
		pause(t, time.Second)
		began := time.Now()
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]string{"kubectl.kubernetes.io/restartedAt": began.Format(time.RFC3339)},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, service := range batch {
			if _, err := s.kube.AppsV1().Deployments(s.namespace).Patch(t.Context(), service, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, service := range batch {
			s.waitRollout(t, service)
		}
		took := time.Since(began)
		pause(t, 2*time.Second)
		result := run.Stop()
		noneFailed(t, result, nil)
		rows = append(rows, append([]any{strings.Join(batch, " "), tenths(took)}, totals(result)...))
	}
	table(t, "Rolling update of each service under load", rows...)
}

// totals are the last columns of a row of results.
func totals(result load.Result) []any {
	var p99, longest time.Duration
	for _, c := range result.ByName {
		p99, longest = max(p99, c.P99), max(longest, c.Max)
	}
	return []any{result.Sent(), result.Failed(), ms(p99), ms(longest)}
}

// notIdempotent are requests that must not be sent again by anybody but who sent them.
func notIdempotent(name string) bool { return name[:4] == "POST" }

func TestPodsThatGoFailNoIdempotentRequest(t *testing.T) {
	s := theShop(t)
	rows := [][]any{{"SERVICE", "BACK IN", "SENT", "FAILED", "P99", "MAX", "IDEMPOTENT FAILED"}}
	s.start(t, rate, s.traffic(t)).Stop()
	for _, batch := range s.batches() {
		t.Run(strings.Join(batch, ","), func(t *testing.T) {
			s.scale(t, 2, batch...)
			for _, service := range batch {
				rows = append(rows, s.losePod(t, service))
			}
		})
	}
	table(t, "One of two pods of each service is killed under load, one service after the other", rows...)
}

// TestPostgresHasEnoughConnections adds up what the services would open, were all pools full while one service of two pods each is
// replaced.
func TestPostgresHasEnoughConnections(t *testing.T) {
	s := theShop(t)
	postgres, err := s.kube.AppsV1().StatefulSets("data").Get(t.Context(), "postgres", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	for _, arg := range postgres.Spec.Template.Spec.Containers[0].Args {
		if text, found := strings.CutPrefix(arg, "-cmax_connections="); found {
			if given, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows := [][]any{{"SERVICE", "CONNECTIONS OF A POD AT MOST"}}
	var all, largest float64
	for _, service := range s.Model.Services {
		if service.Database.Kind == "none" {
			continue
		}
		of := s.sumOfService(t, service.Name, "db_pool_max_connections", nil) / float64(len(s.readyPods(t, "app="+service.Name)))
		if of == 0 {
			t.Errorf("%s does not say how many connections it opens", service.Name)
		}
		rows = append(rows, []any{service.Name, of})
		all, largest = all+of, max(largest, of)
	}
	const replicas, kept = 2, 3 // kept by PostgreSQL for its administrator
	asked := replicas*all + largest
	rows = append(rows, []any{"two pods of each, and one more", asked}, []any{"PostgreSQL has", given - kept})
	table(t, "Connections to PostgreSQL", rows...)
	if asked > float64(given-kept) {
		t.Errorf("PostgreSQL has %d connections, and the pools ask for %v", given-kept, asked)
	}
}

// losePod kills a pod of a service under load, without a word to it, and gives what came of it. (A pod that is told to go fails nothing:
// see TestRollingUpdateFailsNoRequest.)
func (s *shop) losePod(t *testing.T, service string) []any {
	t.Helper()
	run := s.goOn(t, rate, s.traffic(t))
	pause(t, time.Second)
	began := time.Now()
	victim := s.readyPods(t, "app="+service)[0]
	if err := s.kube.CoreV1().Pods(s.namespace).Delete(t.Context(), victim.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	s.waitRollout(t, service)
	took := time.Since(began)
	pause(t, time.Second)
	result := run.Stop()
	noneFailed(t, result, notIdempotent)
	idempotent := 0
	for name, c := range result.ByName {
		if !notIdempotent(name) {
			idempotent += c.Failed
		}
	}
	return append(append([]any{service, tenths(took)}, totals(result)...), idempotent)
}

func TestFaultyReplicaIsEjected(t *testing.T) {
	s := theShop(t)
	s.scale(t, 3, "catalog")
	p := s.probeOf(t, "orders")
	product := load.Request{Name: "GET product", Method: "GET", URL: s.host("catalog") + "/v1/products/" + s.product}
	p.warm(t, product, 200)
	stop := p.start(t, load.Plan{Requests: []load.Request{product}, Rate: rate})
	pause(t, 3*time.Second)

	attempts := func() (all, failed, ejected float64) {
		stats := p.stats(t)
		for _, name := range []string{"envoy_cluster_upstream_rq", "envoy_cluster_retry_upstream_rq"} { // answers that were passed on, and others
			all += stats.sum(name, nil)
			failed += stats.sum(name, map[string]string{"response_code": "503"})
		}
		return all, failed, stats.sum("envoy_cluster_outlier_detection_ejections_active", nil)
	}
	all0, failed0, _ := attempts()
	heal := s.fail(t, s.readyPods(t, "app=catalog,version=v1")[0])
	began := time.Now()
	var ejectedAfter time.Duration
	eventually(t, 30*time.Second, func() error {
		if _, _, ejected := attempts(); ejected < 1 {
			return fmt.Errorf("nobody is ejected")
		}
		ejectedAfter = time.Since(began)
		return nil
	})
	const interval = 10 * time.Second // traffic.outlier.interval
	pause(t, max(0, interval-time.Since(began)))
	all1, failed1, _ := attempts()
	pause(t, 15*time.Second) // before it is tried again
	all2, failed2, ejected := attempts()
	heal()
	result := stop()
	share := func(failed, all float64) string { return fmt.Sprintf("%.2f %% of %.0f", 100*failed/max(all, 1), all) }
	table(t, "One of three replicas of catalog answers 503; the caller is orders", []any{"WHAT", "MEASURED"},
		[]any{"ejected after", tenths(ejectedAfter)},
		[]any{"replicas ejected by Envoy", ejected},
		[]any{"attempts that failed in the first interval of 10 s", share(failed1-failed0, all1-all0)},
		[]any{"attempts that failed in the 15 s after it", share(failed2-failed1, all2-all1)},
		[]any{"requests that failed for the caller, retries included", share(float64(result.Failed()), float64(result.Sent()))})
	if late := (failed2 - failed1) / max(all2-all1, 1); late >= 0.01 || all2-all1 < 100 {
		t.Errorf("after the first interval, %.0f of %.0f attempts failed", failed2-failed1, all2-all1)
	}
	if ejected != 1 {
		t.Errorf("%v replicas are ejected", ejected)
	}
	seen := 0
	for i, second := range result.Seconds {
		if i > int((3*time.Second+interval)/time.Second)+1 {
			seen += second.Failed
		}
	}
	if float64(seen) >= 0.01*float64(result.Sent()) {
		t.Errorf("callers saw %d errors after the first interval", seen)
	}
}

// fail has a pod answer every request with 503, until what it gives is called, or the test ends.
func (s *shop) fail(t *testing.T, pod corev1.Pod) (heal func()) {
	t.Helper()
	return s.misbehave(t, pod.Name, `{"error": 503, "share": 1}`)
}
