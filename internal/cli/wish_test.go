package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWishGivesItsCommandLine(t *testing.T) {
	w := wish{
		name: "greeter", summary: "It's a door.", database: "postgres", cache: "none",
		calls: []string{"catalog:getProduct,listProducts"}, publish: []string{"a.b.v1", "c.d.v1"}, externals: []string{"api.example:443"},
	}
	want := `scaffold new greeter --summary 'It'\''s a door.' --database postgres --call catalog:getProduct,listProducts ` +
		`--publish a.b.v1 --publish c.d.v1 --external api.example:443`
	if diff := cmp.Diff(want, w.command()); diff != "" {
		t.Error(diff)
	}
}

func TestShellQuotesWhatAShellWouldRead(t *testing.T) {
	for word, want := range map[string]string{
		"a-b_c.v1/x:y,z@1=2": "a-b_c.v1/x:y,z@1=2",
		"":                   "''",
		"a b":                "'a b'",
		"$HOME":              "'$HOME'",
		"/v1/{id}":           "'/v1/{id}'",
		"über":               "'über'",
	} {
		if got := shell(word); got != want {
			t.Errorf("shell(%q) = %s, want %s", word, got, want)
		}
	}
}

func TestGroupCallsJoinsTheOperationsOfAService(t *testing.T) {
	got := groupCalls([]string{"a:x", "b:y", "a:z,w", "nonsense"})
	if diff := cmp.Diff([]string{"a:x,z,w", "b:y", "nonsense"}, got); diff != "" {
		t.Error(diff)
	}
}
