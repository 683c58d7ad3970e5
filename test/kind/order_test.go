//go:build kind

package kind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/trellis-mesh/trellis/internal/topic"
)

func TestOrderThroughTheGatewayIsTracedAndPublished(t *testing.T) {
	s := theShop(t)
	handled := func() float64 {
		return s.sumOfService(t, "orders", "events_consumed_total", map[string]string{"type": "user.created.v1", "outcome": "ok"})
	}
	before := handled()
	ada, err := s.newCustomer(t.Context(), "Ada Lovelace")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() error {
		if handled() <= before {
			return errors.New("orders has not handled user.created.v1")
		}
		return nil
	})
	log := s.openTopic(t, "order.created.v1")
	trace := strings.ReplaceAll(unique(), "kind-", "") + "0123456789abcdef"
	began := time.Now()
	a, err := s.ask(t.Context(), "POST", "/v1/orders", map[string]string{"Traceparent": "00-" + trace + "-0123456789abcdef-01"},
		map[string]any{"customerId": ada, "items": []any{map[string]any{"productId": s.product, "quantity": 3}}})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	var made placed
	if err := decode(a, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	if made.Customer.Name != "Ada Lovelace" || made.Total.Amount != "37.50" {
		t.Errorf("the order is %+v", made)
	}
	offset := log.find(t, made.ID)
	done := s.settled(t, made.ID)
	settled := time.Since(began)
	if done.Status != "completed" {
		t.Errorf("the order is %+v", done)
	}
	bare, err := s.newProduct(t.Context()) // of which there is nothing in stock
	if err != nil {
		t.Fatal(err)
	}
	if a, err = s.ask(t.Context(), "POST", "/v1/orders", nil, map[string]any{"customerId": ada, "items": []any{map[string]any{"productId": bare, "quantity": 1}}}); err != nil {
		t.Fatal(err)
	}
	var short placed
	if err := decode(a, http.StatusCreated, &short); err != nil {
		t.Fatal(err)
	}
	if short = s.settled(t, short.ID); short.Status != "cancelled" || short.Reason == "" {
		t.Errorf("the order of what is not in stock is %+v", short)
	}
	table(t, "An order through the gateway, with a token that users issued", []any{"WHAT", "MEASURED"},
		[]any{"POST /v1/orders, with the token", ms(took)}, []any{"user.created.v1 handled by orders", handled() - before}, []any{"order.created.v1 in Kafka", offset},
		[]any{"completed: stock reserved, paid, by events, after", ms(settled)}, []any{"an order of what is not in stock", short.Status + ": " + short.Reason})

	for name, header := range map[string]map[string]string{
		"without a token": {"Authorization": ""}, "with a token that is none": {"Authorization": "Bearer a.b.c"},
	} {
		if a, err := s.ask(t.Context(), "POST", "/v1/orders", header, s.orderOf(1)); err != nil || a.Status != http.StatusForbidden && a.Status != http.StatusUnauthorized {
			t.Errorf("an order %s: status %d, %v", name, a.Status, err)
		}
	}
	s.wantTrace(t, trace, "gateway.istio-ingress", "orders.trellis", "catalog.trellis", "users.trellis", "orders", "catalog", "users", "inventory", "payments", "shipping")
}

// sumOfService adds up a metric of all ready pods of a service.
func (s *shop) sumOfService(t *testing.T, service, metric string, labels map[string]string) (total float64) {
	t.Helper()
	for _, pod := range s.readyPods(t, "app="+service) {
		total += s.scrape(t, s.namespace, pod.Name, adminPort, "/metrics").sum(metric, labels)
	}
	return total
}

const adminPort = 9090

// readyPods are those of the services' namespace that are ready and stay.
func (s *shop) readyPods(t *testing.T, selector string) []corev1.Pod {
	t.Helper()
	list, err := s.kube.CoreV1().Pods(s.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return !ready(p) || p.DeletionTimestamp != nil })
}

func ready(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
}

// eventLog is a topic from where it ended when it was opened.
type eventLog struct {
	topic      string
	partitions []*kafka.Conn
}

// openTopic reads Kafka past the mesh, as an operator would.
func (s *shop) openTopic(t *testing.T, name string) *eventLog {
	t.Helper()
	address, stop, err := s.Forward(t.Context(), "data", "kafka-0", 9092)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	dialer := &kafka.Dialer{Timeout: 10 * time.Second, DialFunc: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	log := &eventLog{topic: name}
	for partition := range topic.Partitions {
		conn, err := dialer.DialLeader(t.Context(), "tcp", address, name, partition)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		end, err := conn.ReadLastOffset()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Seek(end, kafka.SeekAbsolute); err != nil {
			t.Fatal(err)
		}
		log.partitions = append(log.partitions, conn)
	}
	return log
}

// find waits for an event that has a text, and says where it is.
func (l *eventLog) find(t *testing.T, text string) (where string) {
	t.Helper()
	const most = 1 << 20
	eventually(t, 30*time.Second, func() error {
		for partition, conn := range l.partitions {
			if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				return err
			}
			if m, err := conn.ReadMessage(most); err == nil && (strings.Contains(string(m.Value), text) || string(m.Key) == text) {
				where = fmt.Sprintf("partition %d, offset %d", partition, m.Offset)
				return nil
			}
		}
		return fmt.Errorf("no event in %s has %s", l.topic, text)
	})
	return where
}

// wantTrace waits until Jaeger shows spans of all of these in a trace: services by their names, proxies by that and their namespace.
func (s *shop) wantTrace(t *testing.T, id string, want ...string) {
	t.Helper()
	spans := map[string]int{}
	eventually(t, time.Minute, func() error {
		var found struct {
			Data []struct {
				Spans []struct {
					ProcessID     string
					OperationName string
				}
				Processes map[string]struct{ ServiceName string }
			}
		}
		if err := s.dashboard(t, "jaeger.localhost", "/api/traces/"+id, url.Values{}, &found); err != nil {
			return err
		}
		clear(spans)
		for _, trace := range found.Data {
			for _, span := range trace.Spans {
				spans[trace.Processes[span.ProcessID].ServiceName]++
			}
		}
		for _, name := range want {
			if spans[name] == 0 {
				return fmt.Errorf("the trace %s has no span of %s: %v", id, name, spans)
			}
		}
		return nil
	})
	rows := [][]any{{"OF", "SPANS"}}
	for _, name := range sorted(spans) {
		rows = append(rows, []any{name, spans[name]})
	}
	table(t, "The order's trace in Jaeger; with a namespace, a proxy", rows...)
}

func TestPrometheusScrapesEveryServiceAndSidecar(t *testing.T) {
	s := theShop(t)
	pods, err := s.kube.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{} // job/pod
	for _, pod := range pods.Items {
		for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
			for _, port := range c.Ports {
				switch {
				case pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil:
				case port.Name == "http-envoy-prom":
					wanted["sidecars/"+pod.Name] = ""
				case port.Name == "admin" && pod.Namespace == s.namespace:
					wanted["services/"+pod.Name] = ""
				}
			}
		}
	}
	jobs := map[string]int{}
	eventually(t, 90*time.Second, func() error {
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Value  [2]any
				}
			}
		}
		if err := s.dashboard(t, "prometheus.localhost", "/api/v1/query", url.Values{"query": {"up"}}, &answer); err != nil {
			return err
		}
		clear(jobs)
		seen := map[string]bool{}
		var down []string
		for _, r := range answer.Data.Result {
			seen[r.Metric["job"]+"/"+r.Metric["pod"]] = true
			jobs[r.Metric["job"]]++
			if r.Value[1] != "1" {
				down = append(down, r.Metric["job"]+"/"+r.Metric["pod"])
			}
		}
		var missing []string
		for key := range wanted {
			if !seen[key] {
				missing = append(missing, key)
			}
		}
		if len(down)+len(missing) > 0 {
			return fmt.Errorf("down: %v; no targets: %v", down, missing)
		}
		return nil
	})
	rows := [][]any{{"JOB", "TARGETS UP"}}
	for _, job := range sorted(jobs) {
		rows = append(rows, []any{job, jobs[job]})
	}
	table(t, "Prometheus, through the gateway", rows...)
}
