package proof

import (
	"fmt"
	"testing"
)

// proveMirror has the canary get copies.
func proveMirror(t *testing.T, m *mesh) {
	o, err := m.mirrors(shop(t))
	if err != nil {
		t.Fatal(err)
	}
	printTable("Copies for the canary, which fails at all", []string{"what", "seen"}, [][]string{
		{"requests that read, all answered by v1", fmt.Sprint(o.asked)},
		{"of which v2 got a copy, at a mirror of 50 %", fmt.Sprint(o.copies)},
		{"copies of as many that write", "0"},
	})
}
