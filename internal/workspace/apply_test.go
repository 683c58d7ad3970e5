package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trellis-mesh/trellis/internal/plan"
)

func TestASecondSyncTouchesNothing(t *testing.T) {
	p := newPlatform(t)
	p.apply(greeter, service("greeter", "1")...)
	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	times := func() map[string]time.Time {
		all := map[string]time.Time{}
		err := filepath.WalkDir(p.root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			all[name] = info.ModTime()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for name := range times() {
		if err := os.Chtimes(name, long, long); err != nil {
			t.Fatal(err)
		}
	}
	before := times()
	built := p.apply(greeter, service("greeter", "1")...)
	if built.Changes() || built.Count(plan.Identical) != len(built.Actions) {
		t.Errorf("the second plan: %s", built.Summary())
	}
	if diff := cmp.Diff(before, times()); diff != "" {
		t.Errorf("times of change (-before +after):\n%s", diff)
	}
}

func TestApplyTouchesOnlyWhatChanges(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", owned("services/a/one", "1\n"), owned("services/a/two", "2\n"))
	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(p.path("services/a/one"), long, long); err != nil {
		t.Fatal(err)
	}
	p.apply("services/a", owned("services/a/one", "1\n"), owned("services/a/two", "two\n"))
	info, err := os.Stat(p.path("services/a/one"))
	if err != nil || !info.ModTime().Equal(long) {
		t.Errorf("the identical file was changed at %v, want %v (%v)", info.ModTime(), long, err)
	}
	if got := p.read("services/a/two"); got != "two\n" {
		t.Errorf("two is %q", got)
	}
}

func TestApplySetsModes(t *testing.T) {
	p := newPlatform(t)
	script := owned("services/a/run.sh", "echo\n")
	script.Mode = 0o755
	p.apply("services/a", script, owned("services/a/f", "1\n"))
	if err := os.Chmod(p.path("services/a/f"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.apply("services/a", script, owned("services/a/f", "2\n"))
	for name, want := range map[string]fs.FileMode{"services/a/run.sh": 0o755, "services/a/f": 0o600} {
		info, err := os.Stat(p.path(name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
		}
	}
}

func TestDeletingTheLastFileRemovesItsFolder(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", owned("services/a/f", "1\n"), owned("services/a/deep/er/f", "1\n"), owned("services/a/shared/f", "1\n"))
	p.write("services/a/shared/mine", "mine\n")
	p.apply("services/a", owned("services/a/f", "1\n"))
	if _, err := os.Stat(p.path("services/a/deep")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the emptied folder is still there: %v", err)
	}
	if got := p.read("services/a/shared/mine"); got != "mine\n" {
		t.Errorf("my file is %q", got)
	}
	p.undo()
	if got := p.read("services/a/deep/er/f") + p.read("services/a/shared/f"); got != "1\n1\n" {
		t.Errorf("after undo: %q", got)
	}
}

func TestAnEmptyFolderOfAPersonStays(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", owned("services/a/f", "1\n"), owned("services/a/d/f", "1\n"))
	if err := os.Mkdir(p.path("services/a/d/mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.apply("services/a", owned("services/a/f", "1\n"))
	if _, err := os.Stat(p.path("services/a/d/mine")); err != nil {
		t.Errorf("my folder: %v", err)
	}
}

func TestNonASCIINamesAndSpaces(t *testing.T) {
	p := newPlatform(t)
	before := p.tree()
	files := []plan.File{merged("services/größe/日本 語.txt", "1\n"), owned("services/größe/x\ny", "1\n")}
	p.apply("services/größe", files...)
	if again := p.plan("services/größe", files...); again.Count(plan.Identical) != 2 {
		t.Errorf("planned again: %s", again.Summary())
	}
	p.undo()
	if after := p.tree(); after != before {
		t.Errorf("after undo:\n%s", after)
	}
}

func TestRemove(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", once("services/a/service.yaml", "name: a\n"), owned("services/a/gen.go", "1\n"),
		merged("services/a/main.go", "1\n"), owned("contracts/events/a.json", "{}\n"))
	before := p.tree()

	removal, err := p.ws.Remove("services/a")
	if err != nil {
		t.Fatal(err)
	}
	if removal.Count(plan.Delete) != 4 || len(removal.Actions) != 4 {
		t.Errorf("a pristine service: %s", removal.Summary())
	}
	if err := p.ws.Apply(context.Background(), removal, meta); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.path("services/a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	p.undo()
	if after := p.tree(); after != before {
		t.Errorf("after undo:\n%s\nwant\n%s", after, before)
	}
	if _, err := p.ws.Remove("services/nobody"); err == nil || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestRemoveKeepsAndReportsWhatPeopleWrote(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", once("services/a/service.yaml", "name: a\n"), owned("services/a/gen.go", "1\n"), merged("services/a/main.go", "1\n"))
	p.write("services/a/main.go", "mine\n")
	p.write("services/a/docs/notes.md", "mine\n")
	removal, err := p.ws.Remove("services/a")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range removal.Actions {
		lines = append(lines, fmt.Sprintf("%s %s (%s)", a.Op, a.Path, a.Reason))
	}
	want := []string{
		"keep services/a/docs/notes.md (not made by scaffold)",
		"delete services/a/gen.go (no longer declared)",
		"keep services/a/main.go (edited; no longer declared)",
		"delete services/a/service.yaml (no longer declared)",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if err := p.ws.Apply(context.Background(), removal, meta); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"services/a/main.go", "services/a/docs/notes.md"} {
		if got := p.read(name); got != "mine\n" {
			t.Errorf("%s is %q", name, got)
		}
	}
	state, err := p.ws.State("services/a")
	if err != nil || len(state.Files) != 1 {
		t.Errorf("state %v, %v; want the kept file only", state, err)
	}
}

func TestOnlyOneCommandWritesAtATime(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", smallService("1")...)
	other, err := Open(p.root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	lock, err := other.lock(context.Background(), "scaffold update", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	p.ws.lockWait = 0
	before := p.tree()
	err = p.ws.Apply(context.Background(), p.plan("services/a", smallService("2")...), meta)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Command != "scaffold update" {
		t.Errorf("error %v, want one that names the other command", err)
	}
	if _, err := p.ws.Undo(context.Background()); !errors.As(err, &locked) {
		t.Errorf("undo: error %v, want one that names the other command", err)
	}
	if p.tree() != before {
		t.Error("something was written all the same")
	}
	reader, err := Open(p.root)
	if err != nil {
		t.Fatalf("reading is not possible beside a writer: %v", err)
	}
	_ = reader.Close()
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	p.write(lockFile, "1 scaffold long ago\n") // what a killed command leaves holds nobody up
	p.apply("services/a", smallService("2")...)
}

func TestACancelledCommandWritesNothing(t *testing.T) {
	p := newPlatform(t)
	before := p.tree()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := p.ws.Apply(ctx, p.plan("services/a", smallService("1")...), meta)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the cancellation", err)
	}
	if p.tree() != before {
		t.Error("something was written all the same")
	}
	p.noLeftovers()
}

func TestApplyRecordsInputsAndVersion(t *testing.T) {
	p := newPlatform(t)
	m := meta
	m.Inputs = map[string]json.RawMessage{"services/a": json.RawMessage(`{"database":"postgres"}`)}
	if err := p.ws.Apply(context.Background(), p.plan("services/a", smallService("1")...), m); err != nil {
		t.Fatal(err)
	}
	p.apply("services/a", smallService("2")...)
	state, err := p.ws.State("services/a")
	if err != nil {
		t.Fatal(err)
	}
	var inputs map[string]string
	if err := json.Unmarshal(state.Inputs, &inputs); err != nil || inputs["database"] != "postgres" || state.TemplateVersion != "v1" {
		t.Errorf("inputs %s, version %q (%v)", state.Inputs, state.TemplateVersion, err)
	}
}

// git runs git in the platform's repository.
func (p *platform) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Dir = p.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (p *platform) repository() {
	p.t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		p.t.Skip("git is not installed")
	}
	p.git("init", "-q")
	p.git("add", "-A")
	p.git("commit", "-q", "-m", "start")
}

func TestUndoAfterNewLeavesGitClean(t *testing.T) {
	p := newPlatform(t)
	p.write("contracts/events/other.json", "{}\n")
	p.repository()
	before := p.tree()
	p.apply(greeter, service("greeter", "1")...)
	if status := p.git("status", "--porcelain"); !strings.Contains(status, "services/") || strings.Contains(status, house) {
		t.Errorf("git status after new: %q", status)
	}
	p.undo()
	if status := p.git("status", "--porcelain", "--ignored=no"); status != "" {
		t.Errorf("git status after undo: %q", status)
	}
	if after := p.tree(); after != before {
		t.Errorf("after undo:\n%s\nwant\n%s", after, before)
	}
}

func TestAConflictIsUnmergedInGitUntilUndone(t *testing.T) {
	for _, sub := range []string{"", "platform"} {
		t.Run("root below the repository: "+sub, func(t *testing.T) {
			repository := newPlatform(t)
			p := repository
			if sub != "" {
				p = &platform{t: t, root: repository.path(sub)}
				p.write(Marker, "name: test\n")
				p.open()
			}
			const name = "services/a/größe .go"
			p.apply("services/a", merged(name, "one\ntwo\nthree\n"), owned("services/a/gen.go", "1\n"))
			p.write(name, "one\nmine\nthree\n")
			p.write("services/a/gen.go", "edited\n")
			repository.repository()
			staged := p.git("ls-files", "--stage")

			built := p.apply("services/a", merged(name, "one\nhers\nthree\n"), owned("services/a/gen.go", "2\n"))
			if len(built.Conflicts()) != 2 {
				t.Fatalf("plan: %s", built.Summary())
			}
			want := "one\n<<<<<<< yours\nmine\n=======\nhers\n>>>>>>> scaffold v1\nthree\n"
			if got := p.read(name); got != want {
				t.Errorf("the file is %q, want %q", got, want)
			}
			status := p.git("-c", "core.quotePath=false", "status", "--porcelain", "-z")
			prefix := sub
			if sub != "" {
				prefix += "/"
			}
			if !strings.Contains(status, "UU "+prefix+name) || !strings.Contains(status, "AA "+prefix+"services/a/gen.go") {
				t.Errorf("git status: %q", status)
			}
			if theirs := p.git("show", ":3:./"+name); theirs != "one\nhers\nthree\n" {
				t.Errorf("stage 3 is %q", theirs)
			}
			if ancestor := p.git("show", ":1:./"+name); ancestor != "one\ntwo\nthree\n" {
				t.Errorf("stage 1 is %q", ancestor)
			}
			p.undo()
			if got := p.git("ls-files", "--stage"); got != staged {
				t.Errorf("the index after undo:\n%swant\n%s", got, staged)
			}
			if status := p.git("status", "--porcelain"); status != "" {
				t.Errorf("git status after undo: %q", status)
			}
		})
	}
}

func TestAConflictWithABrokenRepositoryIsMarkedAndSaysSo(t *testing.T) {
	p := newPlatform(t)
	p.apply("services/a", merged("services/a/f", "1\n"))
	p.repository()
	p.write(".git/index.lock", "")
	p.write("services/a/f", "mine\n")
	p.apply("services/a", merged("services/a/f", "hers\n"))
	if !strings.Contains(p.read("services/a/f"), "<<<<<<< yours") {
		t.Error("the conflict is not marked")
	}
	if notices := strings.Join(p.ws.Notices(), "\n"); !strings.Contains(notices, "unmerged") {
		t.Errorf("notices: %q", notices)
	}
}
