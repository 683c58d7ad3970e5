package scratch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/test/scratch"
)

// platform is a platform whose team followed the README, and went on from there.
func platform(t *testing.T) string {
	t.Helper()
	files := map[string]string{
		"platform.yaml": "name: shop\nauth: {service: users}\n",
		"go.mod":        "module example.com/shop\n\ngo 1.26.0\n",
		// Nobody uses this one yet.
		"contracts/events/order.placed.v1.json": `{"type": "object"}`,
	}
	for _, event := range []string{"user.created.v1", "invoice.issued.v1", "mail.sent.v1"} {
		files["contracts/events/"+event+".json"] = `{"type": "object"}`
	}
	for name, more := range map[string]string{
		"users":   "events: {publishes: [user.created.v1]}\n",
		"catalog": "",
		"orders":  "calls: {catalog: {operations: [get]}}\nevents: {consumes: [user.created.v1]}\n",
		"billing": "calls: {catalog: {operations: [get]}}\nevents: {publishes: [invoice.issued.v1]}\n",
		"accounts": "calls: {billing: {operations: [get]}}\n" +
			"events: {consumes: [invoice.issued.v1, user.created.v1], publishes: [mail.sent.v1]}\n",
	} {
		files["services/"+name+"/service.yaml"] = "name: " + name + "\n" + more
		files["services/"+name+"/api/openapi.yaml"] = fmt.Sprintf(`openapi: 3.0.3
info: {title: %s, version: 1.0.0}
paths:
  /v1/%[1]s:
    get: {operationId: get, responses: {'204': {description: nothing}}}
`, name)
	}
	root := t.TempDir()
	for name, text := range files {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestACopyHasOnlyWhatIsNeeded(t *testing.T) {
	origin := platform(t)
	for _, test := range []struct {
		needed, made, services, events []string
		fewer                          bool
	}{
		{
			[]string{"catalog"}, []string{"billing"},
			[]string{"catalog"}, []string{"order.placed.v1.json"}, true,
		}, {
			[]string{"orders"}, []string{"greeter"},
			[]string{"catalog", "orders", "users"}, []string{"order.placed.v1.json", "user.created.v1.json"}, true,
		}, { // The new service will publish what a needed one consumes.
			[]string{"accounts"}, []string{"billing"},
			[]string{"accounts", "users"}, []string{"invoice.issued.v1.json", "mail.sent.v1.json", "order.placed.v1.json", "user.created.v1.json"}, true,
		}, {
			[]string{"accounts", "orders", "nobody"}, nil,
			[]string{"accounts", "billing", "catalog", "orders", "users"},
			[]string{"invoice.issued.v1.json", "mail.sent.v1.json", "order.placed.v1.json", "user.created.v1.json"}, false,
		},
	} {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := scratch.Copy(t.Context(), origin, dir); err != nil {
			t.Fatal(err)
		}
		fewer, err := scratch.Only(dir, test.needed, test.made)
		if err != nil || fewer != test.fewer {
			t.Errorf("fewer %v, %v; want %v", fewer, err, test.fewer)
		}
		// users issues the tokens, so it is there whatever is needed.
		if services := names(t, dir, "services"); !cmp.Equal(services, union(test.services, "users")) {
			t.Errorf("%v without %v: services %v, want %v", test.needed, test.made, services, test.services)
		}
		if events := names(t, dir, "contracts/events"); !cmp.Equal(events, union(test.events, "user.created.v1.json")) {
			t.Errorf("%v without %v: events %v, want %v", test.needed, test.made, events, test.events)
		}
	}
}

func union(names []string, more string) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(names), more))))
}

func names(t *testing.T, dir, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
