package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) removeCommand() *cobra.Command {
	show := showing{kept: true}
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a service; files that you edited stay",
		Long: `Remove deletes the files that scaffold made and nobody edited, and lists the others, which stay. A service whose service.yaml you edited
counts as declared until you delete that file yourself. A service that others call, or whose events others consume, is not removed:
take those declarations away first.`,
		Example: `  scaffold remove greeter
  scaffold remove greeter --dry-run`,
		Args:              arguments(1, 1, "scaffold remove NAME"),
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(func(s *session) error { return a.remove(cmd.Context(), s, args[0], show) })
		},
	}
	show.flags(cmd)
	return cmd
}

func (a *app) remove(ctx context.Context, s *session, name string, show showing) error {
	m, err := spec.Load(s.FS())
	if err != nil {
		return refuse(err)
	}
	service := m.Service(name)
	if service == nil {
		return refuse(noService(m, name))
	}
	if err := needed(m, service); err != nil {
		return err
	}
	own, err := s.Remove(service.Dir)
	if err != nil {
		return err
	}
	spareUsedSchemas(own, m, service)
	after, err := s.foresee(nil, service.Dir)
	if err != nil {
		return err
	}
	others, err := s.followNeighbours(ctx, after, neighbours(m, name))
	if err != nil {
		return err
	}
	platform, err := s.followServices(after)
	if err != nil {
		return err
	}
	all, err := join(rendered{plan: own}, others, platform)
	if err != nil {
		return err
	}
	declaration := keptDeclaration(all.plan, service)
	done, err := a.carryOut(ctx, s, all.plan, nil, show)
	if !done {
		return err
	}
	if kept := all.plan.Count(plan.Keep); kept > 0 {
		a.say("%s: not scaffold's, or edited; delete what you don't need\n", stay(kept))
	}
	next := []string{"scaffold check", "prove what is left", "scaffold undo", "bring it back"}
	if declaration != "" {
		a.say("%s is among them: %s counts as declared until you delete it\n", declaration, name)
		next = append([]string{"rm " + shell(declaration), "end the declaration of " + name, "scaffold sync", "drop what is recorded of it"}, next...)
	}
	a.next(next...)
	return err
}

// keptDeclaration is the service.yaml that stays because a person edited it, or "". Its line in the plan says what that means.
func keptDeclaration(p *plan.Plan, service *spec.Service) string {
	file := path.Join(service.Dir, spec.ServiceFile)
	for i := range p.Actions {
		if a := &p.Actions[i]; a.Path == file && a.Op == plan.Keep {
			a.Reason = "edited; " + service.Name + " counts as declared until you delete this file"
			return file
		}
	}
	return ""
}

func stay(files int) string {
	if files == 1 {
		return "1 file stays"
	}
	return count(files, "file") + " stay"
}

// needed refuses to remove a service that others rely on, and says where they do.
func needed(m *spec.Model, service *spec.Service) error {
	var problems spec.Problems
	remedy := "remove that declaration first, then run `scaffold remove " + service.Name + "` again"
	for _, caller := range m.Callers(service.Name) {
		problems = append(problems, spec.Problem{
			Position: caller.At("calls." + service.Name), Message: fmt.Sprintf("%s calls %s", caller.Name, service.Name), Remedy: remedy,
		})
	}
	for _, t := range service.Events.Publishes {
		if len(m.Publishers(t)) > 1 {
			continue
		}
		for _, consumer := range m.Consumers(t) {
			if consumer.Name == service.Name {
				continue
			}
			i := slices.Index(consumer.Events.Consumes, t)
			problems = append(problems, spec.Problem{
				Position: consumer.At(fmt.Sprintf("events.consumes[%d]", i)), Remedy: remedy,
				Message: fmt.Sprintf("%s consumes %s, which only %s publishes", consumer.Name, t, service.Name),
			})
		}
	}
	problems.Sort()
	return refuse(problems.Err())
}

// spareUsedSchemas keeps the schemas of events that another service publishes too: the one that made them may go before the other.
func spareUsedSchemas(p *plan.Plan, m *spec.Model, service *spec.Service) {
	p.Actions = slices.DeleteFunc(p.Actions, func(a plan.Action) bool {
		if strings.HasPrefix(a.Path, service.Dir+"/") {
			return false
		}
		for _, e := range m.Events {
			if e.Path == a.Path {
				return len(m.Publishers(e.Type)) > 1
			}
		}
		return false
	})
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
