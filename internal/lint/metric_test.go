package lint_test

import (
	"os"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/lint"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func TestNamesOfOwnMetricsAreAsOthersExpect(t *testing.T) {
	for _, c := range []struct {
		metric spec.Metric
		want   string
	}{
		{spec.Metric{Name: "orders_lost_total", Type: "counter"}, ""},
		{spec.Metric{Name: "orders_wait_seconds", Type: "histogram", Buckets: []string{"0.5", "1"}}, ""},
		{spec.Metric{Name: "lost_total", Type: "counter"}, "call it orders_lost_total"},
		{spec.Metric{Name: "orders_lost", Type: "counter"}, "call it orders_lost_total"},
		{spec.Metric{Name: "orders_lost_total", Type: "gauge"}, "call it orders_lost"},
		{spec.Metric{Name: "orders_open", Type: "gauge", Buckets: []string{"1"}}, "make it a histogram"},
		{spec.Metric{Name: "orders_wait_seconds", Type: "histogram", Buckets: []string{"1", "0.5"}}, "rising order"},
	} {
		m, err := spec.Load(os.DirFS("../.."))
		if err != nil {
			t.Fatal(err)
		}
		m.Service("orders").Metrics = []spec.Metric{c.metric}
		var found []string
		for _, p := range lint.Check(m, nil) {
			found = append(found, p.String())
		}
		if text := strings.Join(found, "\n"); (c.want == "") != (text == "") || !strings.Contains(text, c.want) {
			t.Errorf("%+v: want %q, got %q", c.metric, c.want, text)
		}
	}
}
