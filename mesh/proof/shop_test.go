package proof

import (
	"os"
	"testing"
)

// TestShop is TestEdges for a platform that declares everything there is, and what its gateway lets in.
func TestShop(t *testing.T) {
	m := startMesh(t, os.DirFS(shop(t).root), shopOptions)
	t.Run("edges", func(t *testing.T) { proveEdges(t, m, "The same for a platform that declares everything there is") })
	t.Run("gateway", func(t *testing.T) { proveGateway(t, m, "What the gateway of that platform lets in") })
	t.Run("behaviours", func(t *testing.T) { proveBehaviours(t, m) })
	t.Run("canary", func(t *testing.T) { proveCanarySteps(t, m) })
	t.Run("mirror", func(t *testing.T) { proveMirror(t, m) })
	t.Run("outlier", func(t *testing.T) { proveOutlier(t, m) })
}

// shopOptions are enough replicas for one of them to fail.
var shopOptions = options{replicas: map[string]int{"catalog": 3}}

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

// shop renders the platform in testdata/shop.
func shop(t testing.TB) *platform {
	t.Helper()
	p := newPlatform(t, os.DirFS("testdata/shop"))
	if err := p.sync(); err != nil {
		t.Fatal(err)
	}
	return p
}
