package workspace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trellis-mesh/trellis/internal/plan"
)

func withInput(f plan.File, input string) plan.File {
	f.InputHash = input
	return f
}

func (p *platform) inputHash(name string) string {
	p.t.Helper()
	state, err := p.ws.State("services/a")
	if err != nil {
		p.t.Fatal(err)
	}
	return state.Files[name].InputHash
}

// What files were made from is remembered here alone: in the state, it would change for every file at every declaration.
func TestInputsAreRememberedButNotCommitted(t *testing.T) {
	p := newPlatform(t)
	const file = "services/a/deploy/workload.yaml"
	p.apply("services/a", withInput(owned(file, "a\n"), "one"))
	before := p.read("services/a/.scaffold/state.json")
	p.apply("services/a", withInput(owned(file, "a\n"), "two")) // the inputs changed, the file did not
	if after := p.read("services/a/.scaffold/state.json"); after != before || strings.Contains(after, "two") {
		t.Errorf("the state became\n%s", after)
	}
	if got := p.inputHash(file); got != "two" {
		t.Errorf("remembered %q", got)
	}
}

func TestAMemoThatIsLostOrDamagedOnlyCostsTime(t *testing.T) {
	p := newPlatform(t)
	const file = "services/a/deploy/workload.yaml"
	p.apply("services/a", withInput(owned(file, "a\n"), "one"))
	p.write(memoPath("services/a"), "{")
	if got := p.inputHash(file); got != "" {
		t.Errorf("remembered %q from a damaged memo", got)
	}
	p.apply("services/a", withInput(owned(file, "a\n"), "one"))
	if got := p.inputHash(file); got != "one" {
		t.Errorf("remembered %q", got)
	}
	if err := os.RemoveAll(filepath.Dir(p.path(memoPath("services/a")))); err != nil {
		t.Fatal(err)
	}
	if got := p.inputHash(file); got != "" {
		t.Errorf("remembered %q without a memo", got)
	}
}

// Another content than the one that was made from the input has nothing to do with it: the service was taken back by git.
func TestAMemoIsForOneContentOnly(t *testing.T) {
	p := newPlatform(t)
	const file = "services/a/deploy/workload.yaml"
	p.apply("services/a", withInput(owned(file, "a\n"), "one"))
	state := p.read("services/a/.scaffold/state.json")
	p.apply("services/a", withInput(owned(file, "b\n"), "two"))
	p.write("services/a/.scaffold/state.json", state)
	if got := p.inputHash(file); got != "" {
		t.Errorf("remembered %q for the old content", got)
	}
}

// Two branches each changed what follows from the declarations, and git could not merge that.
func TestAStateThatGitCouldNotMergeIsMended(t *testing.T) {
	p := newPlatform(t)
	const workload, mesh, added = "services/a/deploy/workload.yaml", "services/a/deploy/mesh.yaml", "services/a/b.go"
	service := func(version string) []plan.File {
		return []plan.File{owned(workload, version+"\n"), owned(mesh, version+"\n")}
	}
	p.apply("services/a", service("1")...)
	p.apply("services/a", service("2")...)
	ours := p.read("services/a/.scaffold/state.json")
	p.apply("services/a", append(service("3"), owned(added, "b\n"))...)
	theirs := p.read("services/a/.scaffold/state.json")

	p.write("services/a/.scaffold/state.json", "<<<<<<< HEAD\n"+ours+"||||||| base\n{\n=======\n"+theirs+">>>>>>> other\n")
	p.write(workload, "<<<<<<< HEAD\n2\n=======\n3\n>>>>>>> other\n")
	p.write(mesh, "2\n") // the person took this side

	both := p.plan("services/a", append(service("23"), owned(added, "b\n"))...)
	want := map[string]plan.Op{workload: plan.Update, mesh: plan.Update, added: plan.Identical}
	for _, a := range both.Actions {
		if a.Op != want[a.Path] {
			t.Errorf("%s: %s (%s), want %s", a.Path, a.Op, a.Reason, want[a.Path])
		}
	}
	if err := p.ws.Apply(t.Context(), both, meta); err != nil {
		t.Fatal(err)
	}
	if got := p.read(workload) + p.read(mesh); got != "23\n23\n" {
		t.Errorf("the files hold %q", got)
	}
	if text := p.read("services/a/.scaffold/state.json"); strings.Contains(text, "<<<") {
		t.Errorf("the state is still\n%s", text)
	}
}
