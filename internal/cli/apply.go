package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/workspace"
)

// showing is how a plan is shown, and whether it is carried out.
type showing struct {
	dryRun, diff, json bool
	kept               bool // a line for every file that is kept
}

// dry reports whether the plan is only shown. Like those of kubectl and terraform, a diff writes nothing.
func (s *showing) dry() bool { return s.dryRun || s.diff }

func (s *showing) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.dryRun, "dry-run", false, "show the plan and write nothing")
	cmd.Flags().BoolVar(&s.diff, "diff", false, "show what changes inside the files, and write nothing")
	cmd.Flags().BoolVar(&s.json, "json", false, "show the plan as JSON; without --dry-run it is carried out")
}

// carryOut shows the plan and applies that very plan. Conflicts that are left are an error with their own exit code; done says whether
// the caller may go on to print what comes next.
func (a *app) carryOut(ctx context.Context, s *session, p *plan.Plan, inputs map[string]json.RawMessage, show showing) (done bool, err error) {
	if !show.dry() {
		meta := workspace.Meta{Command: commandLine(a.args), TemplateVersion: s.renderer.Version(), Inputs: inputs}
		before := len(s.Notices())
		if err := s.Apply(ctx, p, meta); err != nil {
			return false, tellOnce(err)
		}
		a.notices(s.Notices()[before:])
	}
	if err := a.showPlan(p, show); err != nil {
		return false, err
	}
	owed, err := s.owedMigrations(p)
	if err != nil {
		return false, err
	}
	a.notices(owed)
	if conflicts := p.Conflicts(); len(conflicts) > 0 {
		a.aside("%s\n", conflictsLeft(conflicts, show.dry()))
		return false, &failure{Conflict, nil}
	}
	return !show.dry() && !show.json, nil
}

// tellOnce leaves out of a refusal what it says already: a folder that is read-only is so for each file in it.
func tellOnce(err error) error {
	if refused := (*workspace.RefusedError)(nil); errors.As(err, &refused) {
		told := map[string]bool{}
		refused.Problems = slices.DeleteFunc(refused.Problems, func(p error) bool {
			again := told[p.Error()]
			told[p.Error()] = true
			return again
		})
	}
	return err
}

func conflictsLeft(conflicts []plan.Action, dryRun bool) string {
	n, files := len(conflicts), "1 file has"
	if n > 1 {
		files = fmt.Sprintf("%d files have", n)
	}
	if dryRun {
		return files + " conflicts; nothing was written"
	}
	text := files + " conflicts: resolve them, then run `scaffold sync`; or `scaffold undo` takes this back"
	var owned []string
	for _, c := range conflicts {
		if c.Class == plan.Owned && c.Base != nil {
			owned = append(owned, c.Path)
		}
	}
	if len(owned) > 0 {
		text += "\nwhat is edited though scaffold owns it, `" + mendEdited("", owned...) + "` makes again"
	}
	return text
}

func (a *app) showPlan(p *plan.Plan, show showing) error {
	if show.json {
		raw, err := p.JSON(show.diff)
		if err != nil {
			return err
		}
		a.say("%s\n", raw)
		return nil
	}
	if show.diff {
		if err := p.Diff(a.Out); err != nil {
			return err
		}
	}
	if err := p.Print(a.Out, plan.Look{Color: a.Colour, Kept: show.kept}); err != nil {
		return err
	}
	if show.dry() {
		a.say("dry run: nothing was written\n")
	}
	return nil
}

func commandLine(args []string) string {
	words := []string{"scaffold"}
	for _, arg := range args {
		words = append(words, shell(arg))
	}
	return strings.Join(words, " ")
}
