package spec

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewService(t *testing.T) {
	for name, o := range map[string]Options{
		"plain": {},
		"full": {
			Owner: "checkout", Summary: "Takes orders: all of them, #1 in \"quotes\".", Database: "postgres", Shards: []string{"s1", "s2"}, Cache: "redis",
			Calls: []CallOption{
				{"catalog", []string{"getProduct"}},
				{"stock-keeper", []string{"findAllStockOfOneWarehouse", "getStockOfOneProduct", "moveStockBetweenWarehouses", "reserveStockForAnOrder"}},
			},
			Publishes: []string{"order.created.v1"}, Consumes: []string{"payment.processed.v1"},
			Externals: []External{{Host: "api.psp.example"}, {"smtp.example.com", 587, "passthrough"}},
			Ingress:   []string{"createOrder", "true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw := NewService("orders", o)
			golden(t, "testdata/new."+name+".yaml", raw)
			if err := validate(t, "service", raw); err != nil {
				t.Errorf("the schema refuses it: %v", err)
			}
			want := standard("orders")
			want.Owner, want.Summary = either(o.Owner, want.Owner), either(o.Summary, want.Summary)
			want.Database.Kind, want.Cache.Kind = either(o.Database, "none"), either(o.Cache, "none")
			want.Database.Shards = o.Shards
			want.Events, want.Ingress = Events{o.Publishes, o.Consumes}, o.Ingress
			got := parse(t, string(raw))
			for _, call := range o.Calls {
				if diff := cmp.Diff(call.Operations, got.Calls[call.Service].Operations); diff != "" {
					t.Error(diff)
				}
			}
			if len(o.Externals) > 0 {
				want.Externals = []External{{"api.psp.example", 443, "originate"}, {"smtp.example.com", 587, "passthrough"}}
			}
			got.Calls = nil
			if diff := cmp.Diff(want, got, withoutPlaces); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The comments of a new service tell the defaults. They must be the ones that the decoder fills in.
func TestHintsTellTheDefaults(t *testing.T) {
	raw := string(NewService("orders", Options{}))
	uncommented := regexp.MustCompile(`(?m)^# ([a-z]+: )`).ReplaceAllString(raw, "$1")
	got := parse(t, uncommented)
	if len(got.Positions) < 40 {
		t.Fatalf("the hints declare only %d fields:\n%s", len(got.Positions), uncommented)
	}
	got.Calls = nil
	if diff := cmp.Diff(standard("orders"), got, withoutPlaces); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(raw, "# yaml-language-server: $schema=../../schema/service.schema.json\nname: orders\n") {
		t.Errorf("the first lines are %q", raw[:100])
	}
}

// The services of this repository were made by earlier templates, and people learn from their comments.
func TestHintsOfTheSampleServicesAreThoseOfToday(t *testing.T) {
	files, err := filepath.Glob("../../services/*/service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			for _, hint := range hints {
				if strings.HasPrefix(line, "# "+hint.key+": ") && strings.TrimSpace(line) != "# "+hint.text {
					t.Errorf("%s says %q, and a new service %q", file, line, "# "+hint.text)
				}
			}
		}
	}
}
