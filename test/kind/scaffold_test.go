//go:build kind

package kind

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

// TestNewServiceRunsWithinTwoMinutes makes a service with one command and brings the cluster in line with another, as a person would.
func TestNewServiceRunsWithinTwoMinutes(t *testing.T) {
	s := theShop(t)
	w := s.workshop(t)
	const name, limit = "reviews", 2 * time.Minute
	began := time.Now()
	made := w.run("new", name, "--call", "catalog:getProduct")
	deployed := w.up()
	s.waitRollout(t, name)
	running := time.Since(began)

	up := func() (samples int) {
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if err := s.dashboard(t, "prometheus.localhost", "/api/v1/query", url.Values{"query": {`up{service="` + name + `"} == 1`}}, &answer); err != nil {
			t.Error(err)
		}
		return len(answer.Data.Result)
	}
	eventually(t, time.Minute, func() error {
		if n := up(); n < 2 {
			return fmt.Errorf("Prometheus has %d of 2 targets of %s: the service and its sidecar", n, name)
		}
		return nil
	})
	took := time.Since(began)

	if took > limit {
		t.Errorf("it took %s", took)
	}
	rows := [][]any{{"WHAT", "MEASURED"},
		{"scaffold new " + name + " --call catalog:getProduct", tenths(made)}, {"scaffold cluster up", tenths(deployed)},
		{"running after", tenths(running)}, {"running and scraped after", tenths(took)}}

	service := w.model().Service(name)
	ids := sorted(service.Contract.Operations)
	operation := service.Contract.Operations[ids[0]]
	request := s.requestTo(name, operation, "")
	refused := func(caller string) {
		t.Helper()
		a := s.probeOf(t, caller).send(t, request)
		rows = append(rows, []any{caller + " to " + name + ": " + operation.ID + ", undeclared", refusal(a)})
		if refusal(a) == "" {
			t.Errorf("%s declares no call of %s, and got %d", caller, name, a.Status)
		}
	}
	for _, caller := range []string{"catalog", "orders", "users"} {
		refused(caller)
	}
	itself := s.probeOf(t, name)
	itself.warm(t, load.Request{Method: "GET", URL: s.host("catalog") + "/v1/products/" + s.product}, 200)
	rows = append(rows, []any{name + " to catalog: getProduct, declared", 200})
	if a := itself.send(t, load.Request{Method: "GET", URL: s.host("users") + "/v1/users/" + s.customer}); refusal(a) == "" {
		t.Errorf("%s declares no call of users, and got %d", name, a.Status)
	}

	w.run("add", "orders", "call", name+":"+operation.ID)
	rows = append(rows, []any{"scaffold add orders call " + name + ", and scaffold cluster up", tenths(w.up())})
	eventually(t, 30*time.Second, func() error {
		a := s.probeOf(t, "orders").send(t, request)
		if refusal(a) != "" {
			return fmt.Errorf("orders declares %s, and got: %s", operation.ID, refusal(a))
		}
		rows = append(rows, []any{"orders to " + name + ": " + operation.ID + ", declared", a.Status})
		return nil
	})
	refused("users")

	if err := probes.end(t.Context(), itself); err != nil {
		t.Error(err)
	}
	w.run("undo")
	w.run("remove", name)
	rows = append(rows, []any{"scaffold remove " + name + ", and scaffold cluster up", tenths(w.up())})
	eventually(t, time.Minute, func() error {
		list, err := s.kube.CoreV1().Pods(s.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%d pods of %s are left", len(list.Items), name)
		}
		return err
	})
	table(t, "A new service, from the command to the cluster", rows...)
	w.inLine = true
}
