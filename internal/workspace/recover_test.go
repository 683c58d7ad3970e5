package workspace

import (
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// interrupt leaves a platform as a power failure does at the step before the one that a name begins with.
func interrupt(t *testing.T, op, name string, files ...plan.File) *platform {
	t.Helper()
	p := newPlatform(t)
	p.write("services/b/main.go", "package main\n")
	p.apply("services/a", smallService("1")...)
	p.ws.inProcess = true
	var mu sync.Mutex
	down := false
	p.ws.disk.fault = func(at, file string) error {
		mu.Lock()
		defer mu.Unlock()
		if down = down || at == op && strings.Contains(file, name); down {
			return errPowerLoss
		}
		return nil
	}
	err := p.ws.Apply(t.Context(), p.plan("services/a", files...), meta)
	if err == nil {
		t.Fatalf("no step %s %s", op, name)
	}
	return p
}

func TestRecoveryThrowsAwayWhatWasNotCommitted(t *testing.T) {
	p := interrupt(t, "rename", prepared, smallService("2")...)
	p.open()
	if got := p.read("services/a/deploy/workload.yaml"); got != "version: 1\n" {
		t.Errorf("workload.yaml is %q", got)
	}
	p.noLeftovers()
	p.apply("services/a", smallService("2")...)
}

func TestRecoveryFinishesWhatWasCommitted(t *testing.T) {
	p := interrupt(t, "rename", stagedNew+"/1", smallService("2")...)
	p.open()
	if got := p.read("services/a/deploy/workload.yaml"); got != "version: 2\n" {
		t.Errorf("workload.yaml is %q", got)
	}
	if notices := strings.Join(p.ws.Notices(), "\n"); !strings.Contains(notices, "finished now") {
		t.Errorf("notices: %q", notices)
	}
	p.undo()
	if got := p.read("services/a/deploy/workload.yaml"); got != "version: 1\n" {
		t.Errorf("after undo workload.yaml is %q", got)
	}
}

func TestRecoveryDoesNothingWhenAPersonEditedBeforeTheFirstStep(t *testing.T) {
	p := interrupt(t, "rename", stagedNew+"/0", smallService("2")...)
	p.write("services/a/main.go", "mine\n")
	before := p.tree()
	p.open()
	if after := p.tree(); after != before {
		t.Errorf("the tree changed to\n%s", after)
	}
	if notices := strings.Join(p.ws.Notices(), "\n"); !strings.Contains(notices, "run it again") {
		t.Errorf("notices: %q", notices)
	}
	p.noLeftovers()
}

func TestRecoveryLeavesAnEditedFileAndKeepsTheRenderedOneAside(t *testing.T) {
	files := smallService("2")
	p := interrupt(t, "rename", stagedNew+"/2", files...)
	missing := ""
	for _, name := range []string{"services/a/main.go", "services/a/deploy/workload.yaml"} {
		if strings.Contains(p.read(name), "1") {
			missing = name
		}
	}
	if missing == "" {
		t.Fatal("both files were written before the power failed")
	}
	p.write(missing, "mine\n")
	p.open()
	if got := p.read(missing); got != "mine\n" {
		t.Errorf("my edit became %q", got)
	}
	if aside := p.read(path.Join(kept, missing)); !strings.Contains(aside, "2") {
		t.Errorf("kept aside is %q", aside)
	}
	if notices := strings.Join(p.ws.Notices(), "\n"); !strings.Contains(notices, missing+" is left as it is") {
		t.Errorf("notices: %q", notices)
	}
	p.noLeftovers()
}

func TestADamagedJournalStopsEverythingAndLosesNothing(t *testing.T) {
	p := interrupt(t, "rename", stagedNew+"/1", smallService("2")...)
	entries, err := os.ReadDir(p.path(transactions))
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	folder := path.Join(transactions, entries[0].Name())
	p.close()
	p.write(path.Join(folder, committed), `{"version":1,"steps":[{"op":"put","path":"../evil"}]}`)
	before := p.tree()
	_, err = Open(p.root)
	if err == nil || !strings.Contains(err.Error(), "is damaged") || !strings.Contains(err.Error(), "delete the folder "+folder) {
		t.Errorf("error %v, want one with a remedy", err)
	}
	if p.tree() != before {
		t.Error("the tree changed")
	}
	if _, err := os.Stat(p.path(folder)); err != nil {
		t.Errorf("the transaction: %v", err)
	}
}

func TestOpenWithoutLeftoversWritesNothing(t *testing.T) {
	p := newPlatform(t)
	if _, err := os.Stat(p.path(house)); err == nil {
		t.Error("opening made the folder .trellis")
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add([]byte(`{"version":1,"command":"c","steps":[{"op":"put","path":"a/b","staged":"new/0","backup":"undo/0","oldHash":"x"}],"undo":1,"index":{}}`))
	f.Add([]byte(`{"version":1,"steps":[{"op":"take","path":"a","staged":"gone/0","files":{"../x":""}}]}`))
	f.Add([]byte(`{"version":1,"index":{"conflicts":[{"path":"a","sides":["index/0-1","",""]}],"restore":[{"path":"a","entries":["100644 0 0"]}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		j, err := parseJournal(text)
		if err != nil {
			return
		}
		for i := range j.Steps {
			s := &j.Steps[i]
			if validPath(s.Path) != nil || strings.Contains(s.Staged, "..") || strings.Contains(s.Backup, "..") {
				t.Errorf("accepted the step %+v", s)
			}
		}
		again, err := j.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseJournal(again); err != nil {
			t.Errorf("accepted %q, but not its own encoding %q: %v", text, again, err)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"command":"c","files":[{"path":"a","old":"0","oldMode":420,"newHash":"x"}],"made":["b"],"removed":{"c":493}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		for _, item := range r.Files {
			if validPath(item.Path) != nil || strings.Contains(item.Old, "/") {
				t.Errorf("accepted %+v", item)
			}
		}
	})
}
