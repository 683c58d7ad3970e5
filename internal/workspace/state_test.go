package workspace

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/plan"
)

func TestStateIsReadAsItWasWritten(t *testing.T) {
	p := newPlatform(t)
	files := []plan.File{
		once("services/a/service.yaml", "name: a\n"),
		merged("services/a/main.go", "package main\n"),
		owned("contracts/events/e.json", "{}\n"),
		merged("go.work", "go 1.26\n"),
	}
	files[0].Frozen = true
	files[1].InputHash = "abc"
	built := p.apply("services/a", files...)
	state, err := p.ws.State("services/a")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]plan.Base{}
	for _, a := range built.Actions {
		want[a.Path] = *a.Base
	}
	if diff := cmp.Diff(want, state.Files); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	text := p.read("services/a/.scaffold/state.json")
	for _, key := range []string{`"main.go": {`, `"/contracts/events/e.json": {`, `"/go.work": {`, `"mode": "0644"`} {
		if !strings.Contains(text, key) {
			t.Errorf("state.json has no %s:\n%s", key, text)
		}
	}
	if got := p.read("services/a/.scaffold/base/main.go") + p.read("services/a/.scaffold/base.root/go.work"); got != "package main\ngo 1.26\n" {
		t.Errorf("the bases are %q", got)
	}
}

func TestThePlatformHasAStateOfItsOwn(t *testing.T) {
	p := newPlatform(t)
	p.apply("", merged("Makefile", "all:\n"))
	if again := p.plan("", merged("Makefile", "all:\n")); again.Count(plan.Identical) != 1 {
		t.Errorf("planned again: %s", again.Summary())
	}
	if got := p.read(".scaffold/base/Makefile"); got != "all:\n" {
		t.Errorf("the base is %q", got)
	}
}

func TestABaseWithConvertedLineEndingsStillServes(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", merged("services/a/f", "1\n2\n3\n"))
	p.write("services/a/.scaffold/base/f", "1\r\n2\r\n3\r\n")
	p.write("services/a/f", "one\r\n2\r\n3\r\n")
	built := p.apply("services/a", merged("services/a/f", "1\n2\nthree\n"))
	if built.Count(plan.Merge) != 1 {
		t.Errorf("plan: %s", built.Summary())
	}
	if got := p.read("services/a/f"); got != "one\r\n2\r\nthree\r\n" {
		t.Errorf("merged to %q", got)
	}
}

func TestALostOrDamagedBaseMakesAConflictAndNoWrongMerge(t *testing.T) {
	for _, base := range []string{"", "something else\n"} {
		p := newPlatform(t)
		p.apply("services/a", merged("services/a/f", "1\n2\n3\n"))
		p.write("services/a/f", "one\n2\n3\n")
		if base == "" {
			p.remove("services/a/.scaffold/base/f")
		} else {
			p.write("services/a/.scaffold/base/f", base)
		}
		if built := p.plan("services/a", merged("services/a/f", "1\n2\nthree\n")); len(built.Conflicts()) != 1 {
			t.Errorf("base %q: %s", base, built.Summary())
		}
	}
}

func TestTheBaseOfAFileThatIsMergedNoMoreGoes(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", merged("services/a/f", "1\n"), owned("services/a/g", "1\n"))
	p.apply("services/a", owned("services/a/f", "1\n"), owned("services/a/g", "1\n"))
	if p.ws.disk.exists("services/a/.scaffold/base") {
		t.Error("the base is still there")
	}
}

func TestADamagedStateIsAnErrorWithARemedy(t *testing.T) {
	tests := []struct{ name, text, says string }{
		{"cut off", `{"version": 1, "files": {` + "\n", "line 2, column 1"},
		{"empty", "", "line 1, column 1: unexpected end"},
		{"conflict markers", "{\n<<<<<<< HEAD\n", "line 2, column 1"},
		{"another type", `{"version": "1"}`, "line 1"},
		{"of the future", `{"version": 2}`, "version 2"},
		{"a path that leaves", `{"version":1,"files":{"../../../x":{"class":"owned","mode":"0644"}}}`, `"../../../x" is no path`},
		{"a path with detours", `{"version":1,"files":{"a/../b":{"class":"owned","mode":"0644"}}}`, `"a/../b" is no path`},
		{"an inside path from the root", `{"version":1,"files":{"/services/a/b":{"class":"owned","mode":"0644"}}}`, "is no path"},
		{"an unknown class", `{"version":1,"files":{"a":{"class":"shared","mode":"0644"}}}`, `class "shared"`},
		{"a bad mode", `{"version":1,"files":{"a":{"class":"owned","mode":"u+x"}}}`, `mode "u+x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlatform(t)
			p.apply("services/a", smallService("1")...)
			p.write("services/a/.scaffold/state.json", tt.text)
			before := p.tree()
			_, err := p.ws.State("services/a")
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "git checkout -- services/a/.scaffold/state.json") {
				t.Errorf("error %v, want one that says %q and a remedy", err, tt.says)
			}
			if err := p.ws.Apply(t.Context(), &plan.Plan{Actions: []plan.Action{{Path: "services/a/x", Owner: "services/a", Op: plan.Create, New: []byte("x")}}}, meta); err == nil {
				t.Error("a plan was applied all the same")
			}
			if p.tree() != before {
				t.Error("the tree changed")
			}
		})
	}
}

func FuzzParseState(f *testing.F) {
	f.Add("services/a", []byte(`{"version":1,"templateVersion":"v1","inputs":{"a":1},"files":{"main.go":{"class":"merged","hash":"x","mode":"0644","template":"t"},"/go.work":{"class":"once","hash":"","mode":"0755"}}}`))
	f.Add("", []byte(`{"version":1,"files":{"a":{"class":"owned","mode":"777"}}}`))
	f.Add("services/a", []byte(`{"version":1,"inputs":null,"files":{"..":{}}}`))
	f.Fuzz(func(t *testing.T, owner string, text []byte) {
		if owner != "" && validPath(owner) != nil {
			t.Skip()
		}
		s, err := parseSide(owner, text)
		if err != nil {
			return
		}
		for name := range s.Files {
			if err := validPath(name); err != nil {
				t.Errorf("accepted %v", err)
			}
		}
		encoded, err := s.encode(owner)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseSide(owner, encoded)
		if err != nil {
			t.Fatalf("accepted %q, but not its own encoding %q: %v", text, encoded, err)
		}
		if diff := cmp.Diff(s.Files, again.Files); diff != "" {
			t.Errorf("read and written and read (-first +second):\n%s", diff)
		}
	})
}
