package proof

import "testing"

// TestEdges asks every service of this repository for everything, as everybody: what is declared is answered and all else is
// refused, by the caller's own sidecar and by the callee.
func TestEdges(t *testing.T) {
	m := startMesh(t, tree(), options{})
	t.Run("edges", func(t *testing.T) { proveEdges(t, m, "Who may ask whom for what") })
	t.Run("gateway", func(t *testing.T) { proveGateway(t, m, "What the gateway lets in") })
}

func proveEdges(t *testing.T, m *mesh, title string) {
	t.Helper()
	edges, err := m.edges()
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []func() ([]edge, error){m.strangers, m.storeEdges, m.egress} {
		found, err := more()
		if err != nil {
			t.Fatal(err)
		}
		edges = append(edges, found...)
	}
	var rows [][]string
	for _, e := range edges {
		if !e.sidecar.ok() || !e.bypass.ok() {
			t.Error(e)
		}
		rows = append(rows, []string{e.from, e.to, e.operation, e.sidecar.String(), e.bypass.String()})
	}
	printTable(title, []string{"from", "to", "operation", "by its sidecar", "past its sidecar"}, rows)
}
