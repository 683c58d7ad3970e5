package plan

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func samplePlan() *Plan {
	return &Plan{Actions: []Action{
		{Path: "a space.txt", Op: Create, Class: Once, New: []byte("new\n"), Mode: 0o644},
		{Path: "gone.txt", Op: Delete, Class: Owned, Old: []byte("old\n"), Mode: 0o644, OldMode: 0o644, Reason: "no longer declared"},
		{Path: "kept.txt", Op: Keep, Class: Once, Old: []byte("k\n"), New: []byte("k\n"), Mode: 0o644, OldMode: 0o644, Reason: "yours"},
		{Path: "run.sh", Op: Update, Class: Owned, Old: []byte("echo\n"), New: []byte("echo\n"), Mode: 0o755, OldMode: 0o644, Reason: "mode 0755"},
		{Path: "same.txt", Op: Identical, Class: Owned, Old: []byte("s\n"), New: []byte("s\n"), Mode: 0o644, OldMode: 0o644},
		{Path: "two\nlines", Op: Skip, Class: Owned, Reason: "deleted by you"},
		{Path: "ü/ß.txt", Op: Update, Class: Owned, Old: []byte("a\nb"), New: []byte("a\nc\n"), Mode: 0o644, OldMode: 0o644, Owner: "services/x"},
	}}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	if err := samplePlan().Print(&out, Look{Kept: true}); err != nil {
		t.Fatal(err)
	}
	want := `create     a space.txt
delete     gone.txt  (no longer declared)
keep       kept.txt  (yours)
update     run.sh  (mode 0755)
skip       "two\nlines"  (deleted by you)
update     ü/ß.txt
create 1, update 2, delete 1, keep 1, skip 1, identical 1
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestPrintCountsWhatAPersonKeeps(t *testing.T) {
	var out bytes.Buffer
	p := &Plan{Actions: []Action{
		{Path: "handler.go", Op: Keep, Class: Merged, Reason: "edited"},
		{Path: "store.go", Op: Keep, Class: Once, Reason: "yours"},
		{Path: "wiring.gen.go", Op: Keep, Class: Owned, Reason: "edited"},
	}}
	if err := p.Print(&out, Look{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("keep       wiring.gen.go  (edited)\nkeep 3\n", out.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestPrintColorsOnlyTheWord(t *testing.T) {
	var out bytes.Buffer
	p := &Plan{Actions: []Action{{Path: "f", Op: Conflict, Reason: "1 place to resolve"}}}
	if err := p.Print(&out, Look{Color: true}); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[1;31mconflict\x1b[0m   f  (1 place to resolve)\nconflict 1\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestPrintOfNothing(t *testing.T) {
	var out bytes.Buffer
	if err := (&Plan{}).Print(&out, Look{}); err != nil {
		t.Fatal(err)
	}
	if out.String() != "nothing to do\n" {
		t.Errorf("printed %q", out.String())
	}
}

func TestDiffIsAPatchThatGitApplies(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	p := samplePlan()
	dir := t.TempDir()
	for _, a := range p.Actions {
		if a.Old == nil {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(a.Path))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, a.Old, a.OldMode); err != nil {
			t.Fatal(err)
		}
	}
	var patch bytes.Buffer
	if err := p.Diff(&patch); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", "apply", "-")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(patch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git apply: %v\n%s\npatch:\n%s", err, out, patch.String())
	}
	for _, a := range p.Actions {
		file := filepath.Join(dir, filepath.FromSlash(a.Path))
		content, err := os.ReadFile(file)
		if a.New == nil {
			if err == nil {
				t.Errorf("%s is still there", a.Path)
			}
			continue
		}
		info, statErr := os.Stat(file)
		if err != nil || statErr != nil || !bytes.Equal(content, a.New) || info.Mode().Perm()&0o100 != a.Mode&0o100 {
			t.Errorf("%s: %q (%v, %v), want %q", a.Path, content, err, info.Mode(), a.New)
		}
	}
}

func TestJSON(t *testing.T) {
	p := &Plan{Actions: samplePlan().Actions[5:]}
	plain, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	summary := `"summary":{"conflict":0,"create":0,"delete":0,"identical":0,"keep":0,"merge":0,"skip":1,"update":1}`
	want := `{"changes":true,` + summary + `,"files":[` +
		`{"path":"two\nlines","action":"skip","class":"owned","owner":"","reason":"deleted by you"},` +
		`{"path":"ü/ß.txt","action":"update","class":"owned","owner":"services/x","mode":"0644"}]}`
	if diff := cmp.Diff(want, string(plain)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	withDiff, err := p.JSON(true)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Files []struct{ Diff string }
	}
	if err := json.Unmarshal(withDiff, &got); err != nil {
		t.Fatal(err)
	}
	diff := "diff --git a/ü/ß.txt b/ü/ß.txt\n--- a/ü/ß.txt\n+++ b/ü/ß.txt\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
	if d := cmp.Diff(diff, got.Files[1].Diff); d != "" || got.Files[0].Diff != "" {
		t.Errorf("diff (-want +got):\n%s\nand of an unchanged file %q", d, got.Files[0].Diff)
	}
	if empty, err := json.Marshal(&Plan{}); err != nil || !strings.Contains(string(empty), `"files":[]`) {
		t.Errorf("empty plan: %s, %v", empty, err)
	}
}
