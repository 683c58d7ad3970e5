package workspace

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// A plan with a second, harmless file: nothing of it may be written when the first is refused.
func TestApplyRefusesAndWritesNothing(t *testing.T) {
	create := func(name string) *plan.Plan {
		return &plan.Plan{Actions: []plan.Action{
			{Path: name, Op: plan.Create, New: []byte("new\n"), Mode: 0o644},
			{Path: "zz/harmless", Op: plan.Create, New: []byte("new\n"), Mode: 0o644},
		}}
	}
	change := func(name string) *plan.Plan {
		p := create(name)
		p.Actions[0].Op, p.Actions[0].Old, p.Actions[0].OldMode = plan.Update, []byte("old\n"), 0o644
		return p
	}
	remove := func(name string) *plan.Plan {
		p := change(name)
		p.Actions[0].Op, p.Actions[0].New = plan.Delete, nil
		return p
	}
	writes := func(name, content string) func(*testing.T, *platform) {
		return func(_ *testing.T, p *platform) { p.write(name, content) }
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name    string
		prepare func(t *testing.T, p *platform)
		plan    *plan.Plan
		says    string
	}{
		{"a path above the root", nil, create("../x"), "not a path inside the platform"},
		{"an absolute path", nil, create("/tmp/x"), "not a path inside the platform"},
		{"a path with dots", nil, create("a/../../x"), "not a path inside the platform"},
		{"the root itself", nil, create("."), "not a path inside the platform"},
		{"git's folder", nil, create(".git/hooks/pre-commit"), "inside .git"},
		{"git's folder in capitals", nil, create(".GIT/config"), "inside .GIT"},
		{"scaffold's folder", nil, create(".trellis/lock"), "inside .trellis"},
		{"a link to a file", func(t *testing.T, p *platform) {
			p.write("target", "old\n")
			must(t, os.Symlink("target", p.path("f")))
		}, change("f"), "f is a symbolic link"},
		{"a link to nothing", func(t *testing.T, p *platform) {
			must(t, os.Symlink("nothing", p.path("f")))
		}, create("f"), "f is a symbolic link"},
		{"a link to a folder inside", func(t *testing.T, p *platform) {
			p.write("real/f", "old\n")
			must(t, os.Symlink("real", p.path("dir")))
		}, change("dir/f"), "dir is a symbolic link"},
		{"a link to a folder outside", func(t *testing.T, p *platform) {
			must(t, os.Symlink(t.TempDir(), p.path("dir")))
		}, create("dir/deep/f"), "dir is a symbolic link"},
		{"a folder at the path", writes("f/x", ""), create("f"), "it is a folder"},
		{"a named pipe at the path", func(t *testing.T, p *platform) {
			must(t, syscall.Mkfifo(p.path("f"), 0o644))
		}, create("f"), "it is a named pipe"},
		{"a file where a folder is needed", writes("dir", ""), create("dir/f"), "dir is a file"},
		{"a read-only file to change", func(t *testing.T, p *platform) {
			p.write("f", "old\n")
			must(t, os.Chmod(p.path("f"), 0o444))
		}, change("f"), "chmod u+w f"},
		{"a read-only file to delete", func(t *testing.T, p *platform) {
			p.write("f", "old\n")
			must(t, os.Chmod(p.path("f"), 0o444))
		}, remove("f"), "chmod u+w f"},
		{"a read-only folder", func(t *testing.T, p *platform) {
			p.write("dir/f", "old\n")
			must(t, os.Chmod(p.path("dir"), 0o555))
			t.Cleanup(func() { must(t, os.Chmod(p.path("dir"), 0o755)) })
		}, change("dir/f"), "the folder dir is read-only"},
		{"a name that differs in case from a file's", writes("dir/F", ""), create("dir/f"), "dir/f and dir/F are one name"},
		{"a name that differs in case from a folder's", writes("Dir/x", ""), create("dir/f"), "dir and Dir are one name"},
		{"a name that encodes an accent differently", writes("dir/caf\u00e9", ""), create("dir/cafe\u0301"), "are one name"},
		{"a file that appeared since", writes("f", "mine\n"), create("f"), "f came into being"},
		{"a file that was changed since", writes("f", "mine\n"), change("f"), "f was changed"},
		{"a file that was deleted since", nil, change("f"), "f was deleted"},
		{"a file to delete that was changed since", writes("f", "mine\n"), remove("f"), "f was changed"},
		{"the house is a link", func(t *testing.T, p *platform) {
			must(t, os.Symlink(t.TempDir(), p.path(house)))
		}, create("f"), ".trellis is a symbolic link"},
		{"the house is a file", writes(house, ""), create("f"), ".trellis is a file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlatform(t)
			if tt.prepare != nil {
				tt.prepare(t, p)
			}
			before := p.tree()
			err := p.ws.Apply(context.Background(), tt.plan, meta)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
			if after := p.tree(); after != before {
				t.Errorf("the tree changed from\n%s\nto\n%s", before, after)
			}
			if tt.name[:9] != "the house" {
				p.noLeftovers()
			}
		})
	}
}

func TestApplyRefusesTwoNewNamesThatDifferOnlyInCase(t *testing.T) {
	p := newPlatform(t)
	err := p.ws.Apply(context.Background(), &plan.Plan{Actions: []plan.Action{
		{Path: "a/F", Op: plan.Create, New: []byte{}, Mode: 0o644},
		{Path: "a/f", Op: plan.Create, New: []byte{}, Mode: 0o644},
	}}, meta)
	if err == nil || !strings.Contains(err.Error(), "one name") {
		t.Errorf("error %v", err)
	}
}

func TestARefusalListsEveryProblem(t *testing.T) {
	p := newPlatform(t)
	p.write("a", "x")
	p.write("b", "x")
	err := p.ws.Apply(context.Background(), &plan.Plan{Actions: []plan.Action{
		{Path: "a", Op: plan.Create, New: []byte{}, Mode: 0o644},
		{Path: "b", Op: plan.Create, New: []byte{}, Mode: 0o644},
	}}, meta)
	var refused *RefusedError
	if !errors.As(err, &refused) || len(refused.Problems) != 2 {
		t.Fatalf("error %v, want a refusal for two reasons", err)
	}
	if text := err.Error(); !strings.Contains(text, "nothing was written, for 2 reasons:\n  a ") {
		t.Errorf("it reads %q", text)
	}
}

func TestReadRefusesWhatIsNoFile(t *testing.T) {
	p := newPlatform(t)
	p.write("real/f", "x")
	if err := os.Symlink("real", p.path("link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real/f", p.path("file")); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"link/f": "link is a symbolic link",
		"file":   "file is a symbolic link",
		"real":   "it is a folder",
		"../x":   "not a path",
	} {
		if _, err := p.ws.Read(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Read(%s): error %v, want one that says %q", name, err, says)
		}
	}
	for _, read := range []func(string) (*plan.Disk, error){p.ws.Read, p.ws.readSlowly} {
		for _, name := range []string{"nothing", "nothing/at/all", "real/f/below"} {
			if got, err := read(name); got != nil || err != nil {
				t.Errorf("Read(%s) = %v, %v; want nothing", name, got, err)
			}
		}
		if got, err := read("real/f"); err != nil || string(got.Content) != "x" || got.Mode != 0o644 {
			t.Errorf("Read(real/f) = %+v, %v", got, err)
		}
	}
}
