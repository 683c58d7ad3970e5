package proof

import (
	"io/fs"
	"os"
	"testing"
)

// TestShop is TestEdges for a platform that declares everything there is, and what its gateway lets in.
func TestShop(t *testing.T) {
	m := startMesh(t, shop(t), options{replicas: map[string]int{"catalog": 3}})
	t.Run("edges", func(t *testing.T) { proveEdges(t, m, "The same for a platform that declares everything there is") })
	t.Run("gateway", func(t *testing.T) { proveGateway(t, m, "What the gateway of that platform lets in") })
	t.Run("behaviours", func(t *testing.T) { proveBehaviours(t, m) })
	t.Run("canary", func(t *testing.T) { proveCanarySteps(t, m) })
	t.Run("outlier", func(t *testing.T) { proveOutlier(t, m) })
}

func proveBehaviours(t *testing.T, m *mesh) {
	var rows [][]string
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			figure, err := b.prove(m)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, []string{b.name, figure})
		})
	}
	printTable("How requests are sent", []string{"what", "seen"}, rows)
}

// shop renders the platform in testdata/shop, after the edits: of a file, text that stands in it once, and other text.
func shop(t testing.TB, edits ...[3]string) fs.FS {
	t.Helper()
	p := newPlatform(t, os.DirFS("testdata/shop"))
	for _, e := range edits {
		p.edit(e[0], e[1], e[2])
	}
	if len(edits) > 0 {
		p.sync()
	}
	return os.DirFS(p.root)
}
