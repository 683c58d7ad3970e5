package cli_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trellis-mesh/trellis/test/soak"
)

// program is the scaffold command.
var program string

// TestMain builds the command as its users get it. Only in soak runs is it built with the race detector, which makes each of its many
// starts several times as slow: what the command does at the same time has tests of its own beside its code.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "scaffold-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "scaffold")
	args := []string{"build", "-o", program}
	if soak.Race && soak.On() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/scaffold")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the command: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// TestScripts runs the command as a person does; each file in testdata/script is about one command.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"snapshot":  snapshot,
			"unchanged": unchanged,
			"refused":   refused,
		},
		RequireExplicitExec: true,
	})
}

// setup makes the script's folder a platform without services, in a repository of its own, unless the script brings a platform.yaml.
func setup(env *testscript.Env) error {
	env.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(env.WorkDir, "..", "none"))
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	env.Setenv("TERM", "dumb")
	files := map[string]string{
		"platform.yaml": "name: shop\nlocal: {portBase: 18400}\n",
		"go.mod":        "module example.com/shop\n\ngo 1.26.0\n",
		".gitignore":    "/.trellis/\n/.tmp/\n",
	}
	for name, text := range files {
		full := filepath.Join(env.WorkDir, name)
		if _, err := os.Stat(full); err == nil {
			continue
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// exits CODE PROGRAM ARGS… runs a program that must end with the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitCode(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// tree describes every file below the script's folder: hash, mode and time of change. What git and scaffold keep for themselves is
// left out.
func tree(ts *testscript.TestScript) string {
	root := ts.Getenv("WORK")
	var lines []string
	ts.Check(filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && slices.Contains([]string{".git", ".trellis", ".tmp"}, e.Name()) {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if e.IsDir() {
			lines = append(lines, rel+"/")
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %x", rel, info.Mode(), info.ModTime().Format("15:04:05.000000000"), sha256.Sum256(content)))
		return nil
	}))
	return strings.Join(lines, "\n")
}

func snapshotFile(ts *testscript.TestScript) string {
	return filepath.Join(ts.Getenv("WORK"), ".tmp", "snapshot")
}

// snapshot remembers the tree for unchanged.
func snapshot(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(os.WriteFile(snapshotFile(ts), []byte(tree(ts)), 0o600))
}

// unchanged fails when a byte, a mode, a time or the list of files differs from the last snapshot.
func unchanged(ts *testscript.TestScript, neg bool, _ []string) {
	saved, err := os.ReadFile(snapshotFile(ts))
	ts.Check(err)
	before, now := string(saved), tree(ts)
	if (before == now) == neg {
		ts.Fatalf("the tree (-before +now): %s", cmp.Diff(strings.Split(before, "\n"), strings.Split(now, "\n")))
	}
}

// refused POSITION MESSAGE REMEDY: sync and check refuse the platform with exactly one problem at the position, and write nothing.
func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: refused POSITION MESSAGE REMEDY")
	}
	snapshot(ts, false, nil)
	for _, command := range []string{"sync", "check"} {
		if got := exitCode(ts, []string{"scaffold", command}); got != 1 {
			ts.Fatalf("scaffold %s: exit code %d, want 1", command, got)
		}
		output := ts.ReadFile("stderr")
		if command == "check" {
			output = ts.ReadFile("stdout")
		}
		if n := len(regexp.MustCompile(`(?m)^\S+:\d+:\d+: `).FindAllString(output, -1)); n != 1 {
			ts.Fatalf("scaffold %s: %d problems, want 1:\n%s", command, n, output)
		}
		want := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(args[0]) + `: .*` + args[1] + `.*\n(    .*\n)*    .*` + args[2])
		if !want.MatchString(output) {
			ts.Fatalf("scaffold %s: no match for %s in\n%s", command, want, output)
		}
		unchanged(ts, false, nil)
	}
}

// repoRoot is this module's folder, seen from this package.
const repoRoot = "../.."

// platform makes a folder that is a platform.
func platform(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"platform.yaml": "name: shop\n", "go.mod": "module example.com/shop\n\ngo 1.26.0\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
