package metric_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trellis-mesh/trellis/chassis/telemetry/metric"
)

func TestDefinitionsAreWellFormed(t *testing.T) {
	names := map[string]bool{}
	for _, d := range metric.All() {
		if names[d.Name] {
			t.Errorf("%s is defined twice", d.Name)
		}
		names[d.Name] = true
		if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(d.Name) || !strings.HasSuffix(d.Help, ".") || d.Feature == "" {
			t.Errorf("%s: %+v", d.Name, d)
		}
		if strings.HasSuffix(d.Name, "_total") != (d.Type == metric.Counter) {
			t.Errorf("%s is a %s: the names of counters, and of no others, end in _total", d.Name, d.Type)
		}
		if (len(d.Buckets) > 0) != (d.Type == metric.Histogram) || !slices.IsSorted(d.Buckets) {
			t.Errorf("%s is a %s with the buckets %v", d.Name, d.Type, d.Buckets)
		}
	}
}

func TestFixedValuesAreNoMoreLabels(t *testing.T) {
	fixed := metric.DBQueryDuration.With(prometheus.Labels{"database": "orders"})
	fixed.HistogramVec().WithLabelValues("select", "ok").Observe(1) // panics with another number of labels
	if got := strings.Join(metric.DBQueryDuration.Labels, " "); got != "database operation outcome" {
		t.Errorf("the definition itself has now the labels %s", got)
	}
}

// TestOnlyDefinitionsSpellNames reads the chassis: each definition is used, and nothing makes a collector without one.
func TestOnlyDefinitionsSpellNames(t *testing.T) {
	used := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Dir(path) == "../../telemetry/metric" {
			return err
		}
		for _, use := range uses(t, path) {
			if name, ok := strings.CutPrefix(use, "metric."); ok {
				used[name] = true
			}
			if regexp.MustCompile(`^prometheus\.(New(Counter|Gauge|Histogram|Summary|Untyped|Desc)|(Counter|Gauge|Histogram|Summary)Opts)`).MatchString(use) {
				t.Errorf("%s: %s: define the metric in chassis/telemetry/metric and make its collector from that", path, use)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range definitions(t) {
		if !used[name] {
			t.Errorf("metric.%s is kept by no package of the chassis", name)
		}
	}
}

// uses gives what a file names of the packages metric and prometheus.
func uses(t *testing.T, path string) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	imported := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool {
		name, err := strconv.Unquote(i.Path.Value)
		return err == nil && (strings.HasSuffix(name, "telemetry/metric") || strings.HasSuffix(name, "client_golang/prometheus"))
	})
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && imported {
			if of, ok := s.X.(*ast.Ident); ok {
				all = append(all, of.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return all
}

// definitions gives the variables that hold definitions.
func definitions(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("definitions.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^(?:\t|var )(\w+) += define\(`).FindAllStringSubmatch(string(source), -1) {
		names = append(names, found[1])
	}
	if len(names) != len(metric.All()) {
		t.Fatalf("found %d of %d definitions", len(names), len(metric.All()))
	}
	return names
}
