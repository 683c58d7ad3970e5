//go:build kind

package kind

import (
	"testing"
	"time"

	"github.com/trellis-mesh/trellis/internal/cluster/load"
)

// TestMigrationsUnderLoadFailNoRequest brings a table of catalog a column and takes it away again, each as a release of its own.
func TestMigrationsUnderLoadFailNoRequest(t *testing.T) {
	s := theShop(t)
	w := s.workshop(t)
	now := time.Now().UTC()
	column := "kind_" + now.Format("20060102150405")
	rows := [][]any{{"RELEASE", "DEPLOYED IN", "SENT MEANWHILE", "FAILED", "P99", "MAX"}}
	for i, release := range []struct{ name, up, down string }{
		{"expand: add a nullable column", "ALTER TABLE products ADD COLUMN " + column + " text;\n", "ALTER TABLE products DROP COLUMN " + column + ";\n"},
		{"contract: drop it", "ALTER TABLE products DROP COLUMN " + column + ";\n", "ALTER TABLE products ADD COLUMN " + column + " text;\n"},
	} {
		name := "services/catalog/migrations/" + now.Add(time.Duration(i)*time.Second).Format("20060102150405") + "_kind"
		w.write(name+".up.sql", release.up)
		w.write(name+".down.sql", release.down)
		w.build("catalog")
		requests := append(s.traffic(t), load.Request{Name: "GET products", Method: "GET", URL: s.gateway + "/v1/products?limit=3"})
		run := s.start(t, rate, requests)
		took := w.up()
		s.waitRollout(t, "catalog")
		pause(t, 2*time.Second)
		result := run.Stop()
		noneFailed(t, result, nil)
		rows = append(rows, append([]any{release.name, tenths(took)}, totals(result)...))
	}
	table(t, "An expand and a contract migration of catalog under load", rows...)
}
