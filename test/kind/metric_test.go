//go:build kind

package kind

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// samples are what a program tells of itself, by the metric's name.
type samples map[string]*dto.MetricFamily

// sum adds up the counters, gauges and counts of histograms of a metric whose labels are these.
func (s samples) sum(name string, labels map[string]string) (total float64) {
	family := s[name]
	if family == nil {
		return 0
	}
next:
	for _, m := range family.Metric {
		has := map[string]string{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		for key, value := range labels {
			if has[key] != value {
				continue next
			}
		}
		total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return total
}

// scrape reads the metrics of a pod, past its sidecar.
func (s *shop) scrape(t *testing.T, namespace, pod string, port int, path string) samples {
	t.Helper()
	raw, err := s.fetch(t, namespace, pod, port, path)
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(raw)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func (s *shop) fetch(t *testing.T, namespace, pod string, port int, path string) (io.Reader, error) {
	t.Helper()
	address, stop, err := s.Forward(t.Context(), namespace, pod, port)
	if err != nil {
		return nil, err
	}
	t.Cleanup(stop)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s of %s: %s", path, pod, response.Status)
	}
	return response.Body, nil
}

// dashboard asks something that the gateway shows at a host of its own, such as prometheus.localhost.
func (s *shop) dashboard(t *testing.T, host, path string, query url.Values, answer any) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := s.browser.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s%s: %s: %s", host, path, response.Status, raw)
	}
	return json.Unmarshal(raw, answer)
}
