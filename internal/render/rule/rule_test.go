package rule_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/trellis-mesh/trellis/internal/render/rule"
	"github.com/trellis-mesh/trellis/internal/spec"
)

const root = "../../.."

// shop loads the platform of this repository.
func shop(t *testing.T) *spec.Model {
	t.Helper()
	m, err := spec.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// written are rules as they are read back.
type written struct {
	Groups []struct {
		Name, Interval string
		Rules          []struct {
			Record, Alert, Expr, For string
			Labels, Annotations      map[string]string
		}
	}
}

func read(t *testing.T, text string) (w written) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return w
}

func TestEveryExpressionIsPromQL(t *testing.T) {
	for _, s := range shop(t).Services {
		n := 0
		for _, g := range read(t, rule.Of(s, rule.Options{}).YAML()).Groups {
			for _, r := range g.Rules {
				n++
				if _, err := parser.ParseExpr(r.Expr); err != nil {
					t.Errorf("%s: %s%s: %v\n%s", s.Name, r.Record, r.Alert, err, r.Expr)
				}
			}
		}
		if n < 20 {
			t.Errorf("%s: only %d rules", s.Name, n)
		}
	}
}

func TestEveryAlertHasARunbookAndBothTests(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range shop(t).Services {
		f := rule.Of(s, rule.Options{})
		tests := f.Tests("rules.yaml")
		for _, g := range read(t, f.YAML()).Groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue
				}
				seen[r.Alert] = true
				page := strings.TrimPrefix(r.Annotations["runbook_url"], rule.DefaultRunbooks+"/")
				if text, err := os.ReadFile(filepath.Join(root, "docs", "runbooks", page)); err != nil {
					t.Errorf("%s of %s has no runbook: %v", r.Alert, s.Name, err)
				} else if !strings.HasPrefix(string(text), "# "+r.Alert+"\n") {
					t.Errorf("docs/runbooks/%s is not about %s", page, r.Alert)
				}
				if r.Labels["service"] != s.Name || r.Labels["owner"] != s.Owner || !slices.Contains([]string{rule.Page, rule.Ticket}, r.Labels["severity"]) {
					t.Errorf("%s of %s has the labels %v", r.Alert, s.Name, r.Labels)
				}
				for _, name := range []string{r.Alert + " fires", r.Alert + " does not fire"} {
					if !strings.Contains(tests, "name: '"+name) {
						t.Errorf("%s of %s has no test in which it %s", r.Alert, s.Name, strings.TrimPrefix(name, r.Alert+" "))
					}
				}
			}
		}
	}
	for _, name := range rule.Alerts() {
		if !seen[name] {
			t.Errorf("no service of the shop has %s", name)
		}
	}
	pages, err := os.ReadDir(filepath.Join(root, "docs", "runbooks"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if page.Name() != "README.md" && !slices.ContainsFunc(rule.Alerts(), func(a string) bool { return rule.Runbook(a) == page.Name() }) {
			t.Errorf("docs/runbooks/%s is of no alert", page.Name())
		}
	}
}

func TestAnObjectiveIsWatchedOverTwoWindows(t *testing.T) {
	want := map[string][]string{"FastBurn": {"1h", "5m", "6h", "30m"}, "SlowBurn": {"1d", "2h", "3d", "6h"}}
	asked := regexp.MustCompile(`:ratio_rate(\w+)\{`)
	found := 0
	for _, g := range read(t, rule.Of(shop(t).Service("payments"), rule.Options{}).YAML()).Groups {
		for _, r := range g.Rules {
			speed := strings.TrimPrefix(strings.TrimPrefix(r.Alert, "Availability"), "Latency")
			if want[speed] == nil {
				continue
			}
			found++
			var windows []string
			for _, match := range asked.FindAllStringSubmatch(r.Expr, -1) {
				windows = append(windows, match[1])
			}
			if !slices.Equal(windows, want[speed]) {
				t.Errorf("%s looks at %v, want %v", r.Alert, windows, want[speed])
			}
		}
	}
	if found != 4 {
		t.Errorf("%d alerts on objectives, want 4", found)
	}
}

// TestAlertmanagerNamesAlertsThatThereAre reads which alerts silence which others: one that does not exist silences nothing, and nobody notices.
func TestAlertmanagerNamesAlertsThatThereAre(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "observability/alertmanager/config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Inhibit []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
			Equal  []string
		} `yaml:"inhibit_rules"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Inhibit) == 0 {
		t.Error("no alert silences another")
	}
	for _, r := range config.Inhibit {
		if slices.Contains(r.Equal, "alertname") {
			t.Errorf("%v: alerts of one name have one severity, and cannot silence each other", r)
		}
		for _, m := range slices.Concat(r.Source, r.Target) {
			name, is := strings.CutPrefix(strings.Replace(m, "!=", "=", 1), "alertname=")
			if is && !slices.Contains(rule.Alerts(), strings.Trim(name, `"`)) {
				t.Errorf("%s: there is no such alert", m)
			}
		}
	}
}

func TestTimePassesFaster(t *testing.T) {
	s := shop(t).Service("payments")
	slow, fast := read(t, rule.Of(s, rule.Options{}).YAML()), read(t, rule.Of(s, rule.Options{Scale: 60}).YAML())
	for i, g := range slow.Groups {
		for j, r := range g.Rules {
			other := fast.Groups[i].Rules[j]
			if r.Record != other.Record || r.Alert != other.Alert {
				t.Errorf("%s%s became %s%s", r.Record, r.Alert, other.Record, other.Alert)
			}
			if r.Record == rule.ErrorRatio("1h") && (!strings.Contains(r.Expr, "[1h]") || !strings.Contains(other.Expr, "[1m]")) {
				t.Errorf("an hour is not a minute: %s\n%s", r.Expr, other.Expr)
			}
			if r.Alert == "AvailabilityFastBurn" && (r.For != "2m" || other.For != "2s") {
				t.Errorf("%s waits %s, then %s", r.Alert, r.For, other.For)
			}
		}
	}
}

func TestThresholdsFollowFromTheObjective(t *testing.T) {
	s := *shop(t).Service("payments")
	for _, c := range []struct {
		availability float64
		want         string
	}{{99.9, "> 0.0144"}, {99, "> 0.144"}, {50, "> 0.9"}} {
		s.SLO.Availability = c.availability
		for _, g := range read(t, rule.Of(&s, rule.Options{}).YAML()).Groups {
			for _, r := range g.Rules {
				if r.Alert == "AvailabilityFastBurn" && !strings.Contains(r.Expr, c.want+"\n") {
					t.Errorf("%v %%: %s", c.availability, r.Expr)
				}
			}
		}
	}
}
