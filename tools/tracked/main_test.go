package main

import (
	"strings"
	"testing"
)

func TestCheckFindsMachinesAndRegistries(t *testing.T) {
	slash, dot := "/", "." // so that this file itself passes
	for name, c := range map[string]struct {
		line string
		want int
	}{
		"somebody's home":         {"cd " + slash + "home/ann/src", 1},
		"a home folder":           {`dir: "` + slash + `root/go"`, 1},
		"a home at the start":     {slash + "Users/ann", 1},
		"a registry":              {"GOPROXY=https://proxy" + dot + "golang" + dot + "org", 1},
		"two of them":             {slash + "root" + slash + "x\nregistry" + dot + "npmjs" + dot + "org", 2},
		"allowed":                 {"cd " + slash + "root" + slash + "x # tracked:" + "allow", 0},
		"a user inside an image":  {"home: /home/nonroot", 0},
		"a folder of that name":   {"./root/x and internal/work/item and https://example.com/work/", 0},
		"a folder of work":        {"cd " + slash + "work/src", 1},
		"a route":                 {`GET("/work", f)`, 0},
		"a word that starts so":   {"/rooted /workload /workspace", 0},
		"a registry's plain name": {"published on crates and on Maven", 0},
		"not text":                {"\x00 " + slash + "root" + slash, 0},
		"a built program":         {"\x7fELF\x02\x01\x00", 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := check([]byte(c.line)); len(got) != c.want {
				t.Errorf("found %d, want %d:\n%s", len(got), c.want, strings.Join(got, "\n"))
			}
		})
	}
}
