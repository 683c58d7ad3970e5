package proof

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var seeded = flag.Bool("faults", false, "also show that faults in the templates are noticed")

// TestSeededFaults makes the templates wrong, one fault at a time, and expects that the platform rendered with them is noticed to
// be: by scaffold itself, by istiod or an Envoy that refuses the configuration, or by what comes of requests.
func TestSeededFaults(t *testing.T) {
	if !*seeded {
		t.Skip("takes minutes; run it with -faults")
	}
	var rows [][]string
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			program, err := f.scaffoldWith(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			p := newPlatform(t, os.DirFS("testdata/shop"))
			p.program = program
			check, proof := "", notice(t, p)
			if p.scaffold("check") != nil {
				check = "yes"
			}
			if check+proof == "" {
				t.Error("nobody notices")
			}
			rows = append(rows, []string{f.name, check, proof})
		})
	}
	printTable("Faults in the templates, and who notices", []string{"fault", "scaffold check", "proof"}, rows)
}

// notice runs the platform and gives the name of the first claim that does not hold.
func notice(t *testing.T, p *platform) string {
	t.Helper()
	if err := p.sync(); err != nil {
		t.Log(err)
		return "scaffold sync"
	}
	m, err := newMesh(t, os.DirFS(p.root), shopOptions)
	if err == nil {
		err = m.accepted()
	}
	if err != nil {
		t.Log(err)
		return "refused as configuration"
	}
	for _, c := range claims() {
		if err := c.hold(m, p); err != nil {
			first, _, _ := strings.Cut(err.Error(), "\n")
			t.Logf("%s: %s", c.name, first)
			return c.name
		}
	}
	return ""
}
