package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) syncCommand() *cobra.Command {
	var show showing
	var restore bool
	cmd := &cobra.Command{
		Use:   "sync [NAME…]",
		Short: "Write again what follows from the declarations",
		Long: `Sync renders every service, or the named ones, and brings the files up to date: run it after service.yaml, a contract or
an event's schema was changed. Your own files stay as they are; a file that both of you write is merged.`,
		Example: `  scaffold sync                      # all services
  scaffold sync orders --diff        # one, and only show what changes inside the files
  scaffold sync --dry-run --json     # the plan, for a program
  scaffold sync orders --restore     # bring back files that were deleted`,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.with(func(s *session) error { return a.sync(cmd.Context(), s, names, restore, show) })
		},
	}
	show.flags(cmd)
	cmd.Flags().BoolVar(&restore, "restore", false, "bring back files that you deleted")
	return cmd
}

func (a *app) sync(ctx context.Context, s *session, names []string, restore bool, show showing) error {
	m, err := spec.Load(s.FS())
	if err != nil {
		return refuse(err)
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if err := prove(m, nil); err != nil {
		return err
	}
	now, err := s.follow(ctx, m, names, plan.Options{Restore: restore})
	if err != nil {
		return err
	}
	if err := prove(m, now.files); err != nil {
		return err
	}
	done, err := a.carryOut(ctx, s, now.plan, nil, show)
	if err == nil && done && now.plan.Changes() {
		a.next("go test ./services/...", "build and test what was written", "scaffold undo", "take it back")
	}
	return err
}
