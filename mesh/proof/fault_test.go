package proof

import (
	"flag"
	"os"
	"path/filepath"
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
	program, err := openScaffold(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			templates := t.TempDir()
			if err := f.seed(templates); err != nil {
				t.Fatal(err)
			}
			t.Setenv(templatesEnv, templates)
			p := newPlatform(t, os.DirFS("testdata/shop"))
			p.program = program
			check, proof := checked(t, p), notice(t, p)
			if check+proof == "" {
				t.Error("nobody notices")
			}
			rows = append(rows, []string{f.name, check, proof})
		})
	}
	printTable("Faults in the templates, and who notices", []string{"fault", "scaffold check", "proof"}, rows)
}

// checked renders the platform, and tells whether scaffold itself notices.
func checked(t *testing.T, p *platform) string {
	t.Helper()
	err := p.sync()
	switch {
	case err != nil && strings.Contains(err.Error(), "template: "):
		t.Fatal(err) // the fault is none: nothing is rendered at all
	case err == nil:
		err = p.scaffold("check")
	}
	if err == nil {
		return ""
	}
	_, said, _ := strings.Cut(err.Error(), "\n")
	t.Logf("scaffold check: %s", said)
	return "yes"
}

// notice runs the platform and gives the name of the first claim that does not hold.
func notice(t *testing.T, p *platform) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(p.root, "mesh")); err != nil {
		return "" // scaffold sync refused to write it
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
			t.Logf("%s: %v", c.name, err)
			return c.name
		}
	}
	return ""
}
