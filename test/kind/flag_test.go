//go:build kind

package kind

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

// TestMonolithAnswersByAFlagAndNoPodStartsAnew changes the file of flags as a person would: the gateway asks the monolith for products
// from then on, and the pods that ask it are those that asked the catalog before.
func TestMonolithAnswersByAFlagAndNoPodStartsAnew(t *testing.T) {
	s := theShop(t)
	w := s.workshop(t)
	const old = "Tea of old"
	s.inMonolith(t, s.product, old)
	named := func() (string, error) {
		pause(t, 500*time.Millisecond) // with what until waits, fewer than the gateway lets one client ask
		a, err := s.ask(t.Context(), "GET", limited+"products/"+s.product, nil, nil)
		if err != nil {
			return "", err
		}
		var product struct{ Name string }
		err = decode(a, http.StatusOK, &product)
		return product.Name, err
	}
	name, err := named()
	if err != nil || name == "" || name == old {
		t.Fatalf("before the flag is set, the product is called %q: %v", name, err)
	}
	before := identities(s.readyPods(t, "app=gateway"))
	w.write("services/gateway/deploy/flags.yaml", "flags:\n  gateway.products: {value: legacy, variants: [new, legacy, shadow]}\n")
	took := w.up()
	began := time.Now()
	s.touch(t, "gateway")
	eventually(t, 2*time.Minute, func() error {
		switch name, err := named(); {
		case err != nil:
			return err
		case name != old:
			return fmt.Errorf("the product is still called %q", name)
		}
		return nil
	})
	after := identities(s.readyPods(t, "app=gateway"))
	if before != after {
		t.Errorf("the pods of the gateway were %s, and are %s", before, after)
	}
	monolith := time.Since(began)
	w.write("services/gateway/deploy/flags.yaml", "flags: {}\n")
	w.up()
	s.touch(t, "gateway")
	eventually(t, 2*time.Minute, func() error { // what comes after this test is to find the catalog again
		name, err := named()
		if err == nil && name == old {
			err = fmt.Errorf("the product is still called %q", name)
		}
		return err
	})
	w.inLine = true
	table(t, "The monolith answers for products by a flag", []any{"WHAT", "MEASURED"}, []any{"scaffold cluster up, with the file of flags changed", tenths(took)},
		[]any{"the monolith answers after", tenths(monolith)}, []any{"the gateway's pods, and their restarts, as before", after})
}

// inMonolith gives a product to the monolith, past the mesh, in which nobody may.
func (s *shop) inMonolith(t *testing.T, id, title string) {
	t.Helper()
	const port = 8080
	address, stop, err := s.Forward(t.Context(), s.namespace, s.readyPods(t, "app=legacy")[0].Name, port)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	body, err := json.Marshal(map[string]any{"product_id": id, "product_code": "tea", "title": title, "price_cents": 1250, "currency_code": "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	put := load.Request{Method: "PUT", URL: "http://" + address + "/monolith/products/" + id, Body: string(body)}
	if a := put.Send(t.Context(), http.DefaultClient); !a.OK() {
		t.Fatalf("give the monolith a product: %d %s%s", a.Status, a.Body, a.Error)
	}
}

// identities are the pods, and how often each was started anew.
func identities(pods []corev1.Pod) string {
	var all []string
	for _, pod := range pods {
		restarts := int32(0)
		for _, c := range pod.Status.ContainerStatuses {
			restarts += c.RestartCount
		}
		all = append(all, fmt.Sprintf("%s (%d)", pod.Name, restarts))
	}
	return strings.Join(all, ", ")
}

// touch changes a note of a service's pods: the kubelet looks after a pod at once that was changed, and after others once a minute.
func (s *shop) touch(t *testing.T, service string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{"example.com/touched": time.Now().Format(time.RFC3339Nano)}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range s.readyPods(t, "app="+service) {
		if _, err := s.kube.CoreV1().Pods(s.namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
