//go:build real

package observe

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

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

// TestProductionsServersTakeTheirConfigurations does the same for the component observability. OpenSearch, which stands in a comment
// there, is put in the place of the disk as somebody would who wants it.
func TestProductionsServersTakeTheirConfigurations(t *testing.T) {
	model, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	servers := (&watched{model: model}).servers(t, nil)
	jaeger := filepath.Join(production, "jaeger/config.yaml")
	text, err := os.ReadFile(jaeger)
	if err != nil {
		t.Fatal(err)
	}
	many := filepath.Join(t.TempDir(), "many.yaml")
	if err := os.WriteFile(many, []byte(onOpenSearch(t, string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{jaeger, filepath.Join(production, "collector/config.yaml"), many} {
		run(t, servers["jaeger"].Binary, "validate", "--config", file)
	}
	args := lokiArguments(t)
	i := slices.Index(args, "-config.file=/etc/loki/config.yaml")
	if i < 0 {
		t.Fatalf("Loki has %v", args)
	}
	args[i] = "-config.file=" + filepath.Join(root, "observability/loki/config.yaml")
	said := run(t, servers["loki"].Binary, append(args, "-verify-config", "-print-config-stderr")...)
	if !strings.Contains(said, "retention_period: 30d\n") {
		t.Errorf("Loki keeps records otherwise than for 30 days:\n%s", said)
	}
}

// onOpenSearch takes badger out of a configuration of Jaeger, and the comment signs before opensearch.
func onOpenSearch(t *testing.T, text string) string {
	t.Helper()
	before, after, found := strings.Cut(text, "        badger:")
	_, after, foundToo := strings.Cut(after, "        # opensearch:\n")
	if !found || !foundToo {
		t.Fatal("the configuration has no badger, or no opensearch in a comment")
	}
	return before + "        opensearch:\n" + strings.ReplaceAll(after, "        #   ", "          ")
}

// lokiArguments are those that Loki has in production.
func lokiArguments(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(production, "base.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var patch struct {
			Metadata struct{ Name string }
			Spec     struct {
				Template struct {
					Spec struct{ Containers []struct{ Args []string } }
				}
			}
		}
		if err := decoder.Decode(&patch); err != nil {
			t.Fatalf("there is no patch of Loki: %v", err)
		}
		if patch.Metadata.Name == "loki" {
			return patch.Spec.Template.Spec.Containers[0].Args
		}
	}
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
