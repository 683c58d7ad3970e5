package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) undoCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "Take the last command back",
		Long: `Undo restores every file that the last new, sync, add or remove created, changed or deleted. Files that were edited since then are
not touched.`,
		Example: `  scaffold new greeter
  scaffold undo`,
		Args:              arguments(0, 0, "scaffold undo"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(func(s *session) error {
				undone, err := s.Undo(cmd.Context())
				if err != nil {
					return err
				}
				a.notices(s.Notices())
				if !asJSON {
					a.say("taking back: %s\n", undone.Command)
				}
				return a.showPlan(undone.Plan, showing{json: asJSON, kept: true})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "show what was done as JSON")
	return cmd
}
