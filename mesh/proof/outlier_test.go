package proof

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	networking "istio.io/api/networking/v1alpha3"
)

// ejected is the statistic that says how many replicas of catalog a sidecar sends nothing to.
const ejected = `cluster\.outbound\|8090\|v1\|catalog\..*outlier_detection\.ejections_active`

// proveOutlier lets one of three replicas fail, without the policy and with it.
func proveOutlier(t *testing.T, m *mesh) {
	p := newPlatform(t, os.DirFS("testdata/shop"))
	p.edit("services/catalog/service.yaml", "consecutive5xx: 1000", "consecutive5xx: 5")
	p.edit("services/catalog/service.yaml", "weight: 10", "weight: 0")
	p.sync()
	caller := m.pods[impatient]
	m.pods["catalog-0"].app.behave(always(http.StatusServiceUnavailable))
	defer m.pods["catalog-0"].app.behave(nil)

	if err := m.follow(os.DirFS(p.root), withoutOutliers); err != nil {
		t.Fatal(err)
	}
	m.awaitShare(t, 0, 0)
	const n = 1000
	off := m.failures(n)
	if off < n/5 {
		t.Errorf("without the policy, only %d of %d requests fail", off, n)
	}

	if err := m.follow(os.DirFS(p.root), nil); err != nil {
		t.Fatal(err)
	}
	first := 0
	for active := 0; active == 0; first++ {
		m.failures(1)
		var err error
		if active, err = caller.envoy.stat(ejected); err != nil || first > 2000 {
			t.Fatalf("no replica is ejected after %d requests: %v", first, err)
		}
	}
	on := m.failures(n)
	if on > n/100 {
		t.Errorf("with the policy, %d of %d requests fail", on, n)
	}
	active, err := caller.envoy.stat(ejected)
	if err != nil || active != 1 {
		t.Errorf("%d replicas are ejected: %v", active, err)
	}
	printTable("One of three replicas answers 503", []string{"outlier detection", "errors that the caller sees"}, [][]string{
		{"off", fmt.Sprintf("%.1f %%", 100*float64(off)/n)},
		{"on", fmt.Sprintf("%.1f %%, from the %dth request on, which ejects the replica", 100*float64(on)/n, first)},
	})
}

// failures sends requests without retries and counts the errors.
func (m *mesh) failures(n int) int {
	failed := 0
	for range n {
		if m.catalog(impatient, http.MethodGet, product).status != http.StatusOK {
			failed++
		}
	}
	return failed
}

func withoutOutliers(m *manifests) {
	for _, c := range m.istio {
		if rule, ok := c.Spec.(*networking.DestinationRule); ok && rule.TrafficPolicy != nil {
			rule.TrafficPolicy.OutlierDetection = nil
		}
	}
}
