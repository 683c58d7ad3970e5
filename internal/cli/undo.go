package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/workspace"
)

// undoing is how a command is taken back.
type undoing struct {
	showing
	list, keepEdited, again bool
}

func (a *app) undoCommand() *cobra.Command {
	u := undoing{showing: showing{kept: true}}
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Take the last command back",
		Long: `Undo restores every file that the last new, sync, add or remove created, changed or deleted. When some of these files were edited
since, it refuses and names them; with --keep-edited it takes back all the others and leaves these as they are.

It takes back one command. The one before that may be old, and its result committed, so it is taken back only with --again. --list shows
the commands that can be taken back, on this machine and in this folder; the last twenty are kept.`,
		Example: `  scaffold undo --diff           # what would be taken back, inside the files
  scaffold undo
  scaffold undo --keep-edited    # all but the files that you edited since
  scaffold undo --list`,
		Args:              arguments(0, 0, "scaffold undo"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAny(func(s *session) error {
				if u.list {
					return a.listUndo(s, u.json)
				}
				return a.undo(cmd.Context(), s, u)
			})
		},
	}
	u.flags(cmd)
	cmd.Flags().BoolVar(&u.list, "list", false, "list what can be taken back, the last command first, and write nothing")
	cmd.Flags().BoolVar(&u.keepEdited, "keep-edited", false, "leave the files that you edited since, and take back the others")
	cmd.Flags().BoolVar(&u.again, "again", false, "go further back than the last command")
	return cmd
}

func (a *app) undo(ctx context.Context, s *session, u undoing) error {
	var opts []workspace.UndoOption
	if u.keepEdited {
		opts = append(opts, workspace.KeepEdited)
	}
	if u.again {
		opts = append(opts, workspace.Again)
	}
	var undone *workspace.Undone
	var err error
	word := "taking back"
	if u.dry() {
		word = "would take back"
		undone, err = s.PlanUndo(opts...)
	} else {
		before := len(s.Notices())
		undone, err = s.Undo(ctx, opts...)
		a.notices(s.Notices()[before:])
	}
	if err != nil {
		return explainUndo(err, u)
	}
	if !u.json {
		a.say("%s: %s\n", word, undone.Command)
	}
	return a.showPlan(undone.Plan, u.showing)
}

// explainUndo adds to a refusal how to go on.
func explainUndo(err error, u undoing) error {
	command := "scaffold undo"
	if u.again {
		command += " --again"
	}
	if edited := (*workspace.EditedError)(nil); errors.As(err, &edited) {
		return tellOnce(fmt.Errorf("%w\nto take back all the others and leave what you edited: %s --keep-edited", err, command))
	}
	if further := (*workspace.FurtherBackError)(nil); errors.As(err, &further) {
		return fmt.Errorf("%w\nto take that back too: %s --again; to see more: scaffold undo --list", err, command)
	}
	return tellOnce(err)
}

func (a *app) listUndo(s *session, asJSON bool) error {
	commands, err := s.Commands()
	if err != nil {
		return err
	}
	if asJSON {
		type line struct {
			Command string   `json:"command"`
			Time    string   `json:"time"`
			Files   []string `json:"files"`
			Again   bool     `json:"again"`
		}
		lines := []line{}
		for _, c := range commands {
			lines = append(lines, line{c.Line, c.Time.UTC().Format(time.RFC3339), append([]string{}, c.Files...), c.Older})
		}
		raw, err := json.Marshal(lines)
		if err != nil {
			return fmt.Errorf("encode the list: %w", err)
		}
		a.say("%s\n", raw)
		return nil
	}
	if len(commands) == 0 {
		a.say("there is nothing to undo\n")
	}
	for _, c := range commands {
		note := ""
		if c.Older {
			note = "  (with --again)"
		}
		a.say("%s  %-9s %s%s\n", c.Time.Local().Format("2006-01-02 15:04"), count(len(c.Files), "file"), strings.TrimSpace(c.Line), paint(a.Colour, faint, note))
	}
	return nil
}
