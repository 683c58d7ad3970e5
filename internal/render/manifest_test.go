package render

import (
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

func TestMigrationsAreFrozenAndNothingElseIs(t *testing.T) {
	frozen := 0
	for _, f := range newPlatform(t).create("greeter", withDatabase, Inputs{}) {
		if want := path.Ext(f.Path) == ".sql"; f.Frozen != want {
			t.Errorf("%s: frozen is %v", f.Path, f.Frozen)
		}
		if f.Frozen {
			frozen++
		}
	}
	if frozen == 0 {
		t.Error("no migration was rendered")
	}
}

func TestOnlyOnceFilesCanBeFrozen(t *testing.T) {
	for class, want := range map[string]bool{"once": true, "merged": false, "owned": false} {
		text := "files:\n  - {path: a, template: a.tmpl, class: " + class + ", frozen: true}\n"
		_, err := loadSet(fstest.MapFS{"set/manifest.yaml": {Data: []byte(text)}}, "set")
		if want != (err == nil) || err != nil && !strings.Contains(err.Error(), "frozen") {
			t.Errorf("%s: %v", class, err)
		}
	}
}
