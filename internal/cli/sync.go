package cli

import (
	"context"
	"path"
	"slices"
	"strings"

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
an event's schema was changed. Your own files stay as they are; a file that both of you write is merged. What a service declares may
concern others: with names, sync writes only what is named and says which others are out of date.`,
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
	if len(names) > 0 {
		a.notices(s.alsoStale(ctx, m, names))
	}
	done, err := a.carryOut(ctx, s, now.plan, nil, show)
	if err != nil || !done {
		return err
	}
	var next []string
	if edited := editedOwned(now.plan); len(edited) > 0 {
		next = append(next, mendEdited("", edited...), "undo your edits of what scaffold owns; the declarations are where to change it")
	}
	if now.plan.Changes() {
		next = append(next, "go test ./services/...", "build and test what was written", "scaffold undo", "take it back")
	}
	if len(next) > 0 {
		a.next(next...)
	}
	return nil
}

// alsoStale says which other services are out of date: who names one means it, but a caller's declaration is also about those that
// it calls, and the mesh would refuse its calls.
func (s *session) alsoStale(ctx context.Context, m *spec.Model, names []string) []string {
	all, err := s.follow(ctx, m, nil, plan.Options{})
	if err != nil {
		return []string{"whether other services are up to date cannot be said: " + err.Error()}
	}
	var stale []string
	for _, action := range all.plan.Actions {
		owner := path.Base(action.Owner)
		if action.Owner == platformOwner {
			owner = "the platform's own files"
		}
		if (action.Writes() || action.Op == plan.Conflict) && !slices.Contains(names, owner) && !slices.Contains(stale, owner) {
			stale = append(stale, owner)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	slices.Sort(stale)
	return []string{"out of date as well, and left as it is: " + strings.Join(stale, ", ") + "; `scaffold sync` without a name writes all of it"}
}

// editedOwned are the files of scaffold's own that a person edited.
func editedOwned(p *plan.Plan) []string {
	var files []string
	for _, action := range p.Actions {
		if action.Op == plan.Keep && action.Class == plan.Owned && action.New != nil {
			files = append(files, action.Path)
		}
	}
	return files
}
