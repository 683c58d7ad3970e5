//go:build kind

package kind

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestTheLogsOfAnOrderAreFoundByItsTrace places an order, and finds in Loki what the services wrote of it.
func TestTheLogsOfAnOrderAreFoundByItsTrace(t *testing.T) {
	s := theShop(t)
	trace := strings.ReplaceAll(unique(), "kind-", "") + "0123456789abcdef"
	a, err := s.ask(t.Context(), "POST", "/v1/orders", map[string]string{"Traceparent": "00-" + trace + "-0123456789abcdef-01"}, s.orderOf(1))
	if err != nil {
		t.Fatal(err)
	}
	var made placed
	if err := decode(a, http.StatusCreated, &made); err != nil {
		t.Fatal(err)
	}
	s.settled(t, made.ID)
	pods, err := s.kube.CoreV1().Pods("observability").List(t.Context(), metav1.ListOptions{LabelSelector: "app=loki"})
	if err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("%d pods of Loki, want 1", len(pods.Items))
	}
	query := url.Values{"query": {fmt.Sprintf(`{service_name=~".+"} | trace_id=%q`, trace)}, "limit": {"500"},
		"start": {strconv.FormatInt(time.Now().Add(-10*time.Minute).UnixNano(), 10)}}
	lines := map[string]int{}
	eventually(t, time.Minute, func() error {
		body, err := s.fetch(t, "observability", pods.Items[0].Name, 3100, "/loki/api/v1/query_range?"+query.Encode())
		if err != nil {
			return err
		}
		var answer struct {
			Data struct {
				Result []struct {
					Stream map[string]string
					Values [][]any
				}
			}
		}
		if err := json.NewDecoder(body).Decode(&answer); err != nil {
			return err
		}
		clear(lines)
		for _, stream := range answer.Data.Result {
			lines[stream.Stream["service_name"]] += len(stream.Values)
		}
		for _, service := range []string{"orders", "catalog", "users"} {
			if lines[service] == 0 {
				return fmt.Errorf("Loki has no line of %s in trace %s: %v", service, trace, lines)
			}
		}
		return nil
	})
	rows := [][]any{{"OF", "LINES"}}
	for _, name := range sorted(lines) {
		rows = append(rows, []any{name, lines[name]})
	}
	table(t, "The logs of an order, by its trace id, in Loki", rows...)
}
