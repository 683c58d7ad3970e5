package cli

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"

	"github.com/trellis-mesh/trellis/internal/local"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look whether this machine and this platform are ready for work",
		Example: `  scaffold doctor
  scaffold doctor --root ~/src/shop`,
		Args:              arguments(0, 0, "scaffold doctor"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ill := false
			for _, d := range a.diagnose(cmd.Context()) {
				a.say("%s  %-9s %s\n", paint(a.Colour, d.health.colour(), fmt.Sprintf("%-4s", d.health)), d.subject, d.text)
				if d.remedy != "" {
					a.say("%18s%s\n", "", d.remedy)
				}
				ill = ill || d.health == fail
			}
			if ill {
				return &failure{Failed, nil}
			}
			return nil
		},
	}
}

// health is a diagnosis in a word.
type health string

const (
	ok   health = "ok"
	warn health = "warn" // something will not work
	fail health = "fail" // nothing will work
)

func (h health) colour() string { return map[health]string{ok: green, warn: yellow, fail: red}[h] }

// diagnosis is one line of doctor.
type diagnosis struct {
	health                health
	subject, text, remedy string
}

func (a *app) diagnose(ctx context.Context) []diagnosis {
	list := []diagnosis{}
	root, err := a.findRoot()
	if err != nil {
		list = append(list, goVersion(ctx, nil), diagnosis{fail, "platform", err.Error(), "run it inside a platform, or with --root DIR"})
		return append(list, tool(ctx, "git", "git", "--version"), docker(ctx))
	}
	mod, modErr := readModule(root)
	list = append(list, goVersion(ctx, mod), module(mod, modErr), tool(ctx, "git", "git", "--version"), ignored(ctx, root))
	err = a.with(func(s *session) error {
		list = append(list, journal(s))
		m, err := spec.Load(s.FS())
		if err != nil {
			return err
		}
		list = append(list, diagnosis{ok, "platform", fmt.Sprintf("%s, %s", m.Platform.Name, count(len(m.Services), "service")), ""})
		list = append(list, templates(s, m), ports(m))
		return nil
	})
	if problems := (spec.Problems)(nil); errors.As(err, &problems) {
		list = append(list, diagnosis{fail, "platform", count(len(problems), "problem") + " in the declarations", "`scaffold check` says which"})
	} else if err != nil {
		list = append(list, diagnosis{fail, "platform", err.Error(), ""})
	}
	return append(list, docker(ctx))
}

func readModule(root string) (*modfile.File, error) {
	raw, err := fs.ReadFile(os.DirFS(root), "go.mod")
	if err != nil {
		return nil, err
	}
	return modfile.ParseLax("go.mod", raw, nil)
}

func module(mod *modfile.File, err error) diagnosis {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return diagnosis{fail, "module", "there is no go.mod beside platform.yaml", "`go mod init example.com/shop`"}
	case err != nil:
		return diagnosis{fail, "module", err.Error(), ""}
	case mod.Module == nil:
		return diagnosis{fail, "module", "go.mod names no module", "add a line such as `module example.com/shop`"}
	}
	return diagnosis{ok, "module", mod.Module.Mod.Path, ""}
}

// goVersion asks the go command, which may be another than the one that built scaffold.
func goVersion(ctx context.Context, mod *modfile.File) diagnosis {
	out, err := output(ctx, "go", "env", "GOVERSION")
	if err != nil {
		return diagnosis{fail, "go", "no go command on the PATH", "install Go from https://go.dev/dl"}
	}
	if mod != nil && mod.Go != nil && version.Compare(out, "go"+mod.Go.Version) < 0 {
		return diagnosis{fail, "go", fmt.Sprintf("%s is older than the %s that go.mod asks for", out, mod.Go.Version), "install a newer Go from https://go.dev/dl"}
	}
	return diagnosis{ok, "go", out + " " + runtime.GOOS + "/" + runtime.GOARCH, ""}
}

func tool(ctx context.Context, subject, name string, args ...string) diagnosis {
	out, err := output(ctx, name, args...)
	if err != nil {
		return diagnosis{warn, subject, "no " + name + " command on the PATH", "conflicts are still marked in the files; only the index is not"}
	}
	return diagnosis{ok, subject, out, ""}
}

// ignored looks whether git leaves out what scaffold keeps for itself.
func ignored(ctx context.Context, root string) diagnosis {
	if _, err := output(ctx, "git", "-C", root, "rev-parse", "--git-dir"); err != nil {
		return diagnosis{warn, "history", "the platform is in no git repository", "`git init`: then you can always go back"}
	}
	if _, err := output(ctx, "git", "-C", root, "check-ignore", "-q", ".trellis/data"); err != nil {
		return diagnosis{warn, "history", ".trellis/ is not ignored", "add the line /.trellis/ to .gitignore"}
	}
	return diagnosis{ok, "history", ".trellis/ is ignored", ""}
}

// journal tells whether a command was interrupted: opening the platform has finished or discarded it.
func journal(s *session) diagnosis {
	if notices := s.Notices(); len(notices) > 0 {
		return diagnosis{warn, "journal", strings.Join(notices, "; "), "look at `git status`, then `scaffold sync`"}
	}
	return diagnosis{ok, "journal", "no interrupted command", ""}
}

func templates(s *session, m *spec.Model) diagnosis {
	var other []string
	for _, service := range m.Services {
		state, err := s.State(service.Dir)
		if err != nil {
			return diagnosis{fail, "templates", err.Error(), ""}
		}
		if v := state.TemplateVersion; v != "" && v != s.renderer.Version() {
			other = append(other, service.Name+" "+v)
		}
	}
	if len(other) > 0 {
		return diagnosis{warn, "templates", s.renderer.Version() + "; made by another version: " + strings.Join(other, ", "), "`scaffold sync`"}
	}
	return diagnosis{ok, "templates", "version " + s.renderer.Version(), ""}
}

func ports(m *spec.Model) diagnosis {
	base := m.Platform.Local.PortBase
	if err := local.CheckPorts(m); err != nil {
		return diagnosis{warn, "ports", strings.ReplaceAll(err.Error(), "\n", "\n"+strings.Repeat(" ", 16)), ""}
	}
	return diagnosis{ok, "ports", fmt.Sprintf("from %d on, all free", base), ""}
}

func docker(ctx context.Context) diagnosis {
	out, err := output(ctx, "docker", "--version")
	if err != nil {
		return diagnosis{ok, "docker", "not installed; only a kind cluster needs it", ""}
	}
	return diagnosis{ok, "docker", out, ""}
}

// output is the first line that a command prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), err
}
