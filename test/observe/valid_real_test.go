//go:build real

package observe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// TestTheServersTakeTheirConfigurations asks each server's own tool whether it understands the files that it would run with; Prometheus's
// looks at the rules of all services, too. Their unit tests are run by internal/render/rule.
func TestTheServersTakeTheirConfigurations(t *testing.T) {
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]string{}
	for _, s := range model.Services {
		services[s.Name] = "127.0.0.1:1"
	}
	servers := (&watched{model: model}).servers(t, services)
	at := func(name string) string { return filepath.Join(root, "observability", name) }
	said := run(t, "promtool", "check", "config", servers["prometheus"].config()) // that one, since Debian's Prometheus knows no Kubernetes
	if found := strings.Count(said, "rules found"); found != len(services) {
		t.Errorf("promtool has seen the rules of %d services, want %d:\n%s", found, len(services), said)
	}
	run(t, "amtool", "check-config", at("alertmanager/config.yaml"))
	run(t, servers["jaeger"].Binary, "validate", "--config", at("jaeger/config.yaml"))
	run(t, servers["loki"].Binary, "-verify-config", "-config.file="+at("loki/config.yaml"))
}

// run runs a command and gives what it says; it must succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
