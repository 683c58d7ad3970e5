package proof

import (
	"fmt"
	"testing"
)

// proveOutlier lets one of three replicas fail, without the policy and with it.
func proveOutlier(t *testing.T, m *mesh) {
	o, err := m.outliers(shop(t))
	if err != nil {
		t.Fatal(err)
	}
	printTable("One of three replicas answers 503", []string{"outlier detection", "errors that the caller sees"}, [][]string{
		{"off", fmt.Sprintf("%.1f %%", o.off)},
		{"on", fmt.Sprintf("%.1f %%, once the replica is ejected after %d requests", o.on, o.first)},
	})
}
