//go:build real

package rule_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/render/rule"
)

// TestPromtoolProvesTheRules has Prometheus's own tool check the rules of every service, and run their unit tests.
func TestPromtoolProvesTheRules(t *testing.T) {
	for _, s := range shop(t).Services {
		t.Run(s.Name, func(t *testing.T) {
			f := rule.Of(s, rule.Options{})
			if out, err := promtool(t, f.YAML(), f.Tests("rules.yaml")); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestUnitTestsOfRulesCanFail breaks every alert, first so that it always fires and never does.
func TestUnitTestsOfRulesCanFail(t *testing.T) {
	f := rule.Of(shop(t).Service("orders"), rule.Options{})
	tests := f.Tests("rules.yaml")
	for _, broken := range []string{"vector(1)", "vector(1) > 1"} {
		var alerts []string
		for _, g := range f.Groups {
			for j, r := range g.Rules {
				if r.Alert != "" {
					g.Rules[j].Expr = broken
					alerts = append(alerts, r.Alert)
				}
			}
		}
		out, err := promtool(t, f.YAML(), tests)
		if err == nil {
			t.Errorf("the tests are content with %s", broken)
		}
		for _, name := range alerts {
			if !regexp.MustCompile(`(?m)alertname: ` + name + `\b`).MatchString(out) {
				t.Errorf("the tests of %s are content with %s", name, broken)
			}
		}
	}
}

func promtool(t *testing.T, rules, tests string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yaml": rules, "rules_test.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var all strings.Builder
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		all.Write(out)
		if err != nil {
			return all.String(), err
		}
	}
	return all.String(), nil
}
