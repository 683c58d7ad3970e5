package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render"
	"github.com/trellis-mesh/trellis/internal/spec"
)

func (a *app) newCommand() *cobra.Command {
	var w wish
	var show showing
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a service that builds, runs and is tested",
		Long: `New declares a service and writes everything that follows: its contract, handlers, store, tests and deployment. The result
compiles and passes its tests right away. On a terminal, without a name, it asks; with ACCESSIBLE=1 in plain lines.`,
		Example: `  scaffold new greeter
  scaffold new billing --database postgres --call catalog:getProduct --publish invoice.issued.v1
  scaffold new mailer --consume user.created.v1 --owner growth
  scaffold new carts --resource cart --cache redis --dry-run`,
		Args:              arguments(0, 1, "scaffold new NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			w.name = strings.Join(args, "")
			if w.name == "" && (len(args) > 0 || !a.Interactive) { // a script's variable that is empty asks for no form
				return usage("new: the service's name is missing: scaffold new NAME, such as `scaffold new greeter --database postgres`")
			}
			return a.with(func(s *session) error { return a.create(cmd.Context(), s, w, show) })
		},
	}
	w.flags(cmd)
	show.flags(cmd)
	a.completeWish(cmd)
	return cmd
}

func (a *app) create(ctx context.Context, s *session, w wish, show showing) error {
	m, err := spec.Load(s.FS())
	if err != nil {
		return refuse(err)
	}
	asked := w.name == ""
	if asked {
		if err := a.ask(ctx, m, &w); err != nil {
			return err
		}
	}
	in := render.NewInputs(w.name, w.resource, w.publish)
	seeds, err := s.seed(m, w, in)
	if err != nil {
		return err
	}
	after, err := s.foresee(contents(seeds, nil), "")
	if err != nil {
		return err
	}
	p, err := s.plan(ctx, change{name: w.name, before: m, after: after, seeds: seeds, inputs: &in})
	if err != nil {
		return err
	}
	if err := s.forgetRemoved(p); err != nil {
		return err
	}
	inputs, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the inputs: %w", err)
	}
	service := after.Service(w.name)
	done, err := a.carryOut(ctx, s, p, map[string]json.RawMessage{service.Dir: inputs}, show)
	if err == nil && asked && !show.json {
		a.say("\nThe same without questions:\n  %s\n", w.command())
	}
	if done {
		a.next(
			"go test ./"+service.Dir+"/...", "its tests pass already",
			"scaffold up "+w.name, "run it on this machine, with all that it calls",
			"$EDITOR "+path.Join(service.Dir, service.HTTP.Contract), "change its API, then `scaffold sync "+w.name+"`",
		)
	}
	return err
}

// seed makes the declarations of a new service.
func (s *session) seed(m *spec.Model, w wish, in render.Inputs) ([]plan.File, error) {
	o, err := w.options()
	if err != nil {
		return nil, err
	}
	text := spec.NewService(w.name, o)
	service, err := spec.ParseService(spec.ServicesDir+"/"+w.name+"/"+spec.ServiceFile, text)
	if err != nil {
		return nil, refuse(err)
	}
	if err := s.free(m, service); err != nil {
		return nil, err
	}
	seeds, err := s.renderer.Seeds(render.SeedInput{Model: m, Service: service, Declaration: text, Inputs: in})
	if err != nil {
		return nil, s.whyNoSeeds(service, text, err)
	}
	return seeds, nil
}

// free refuses a service's folder that has something in it. The records of a removed service are nothing.
func (s *session) free(m *spec.Model, service *spec.Service) error {
	entries, err := s.ReadDir(service.Dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	if m.Service(service.Name) != nil {
		return refuse(fmt.Errorf("%s exists already: take another name, or change it with `scaffold add %s`", service.Dir, service.Name))
	}
	only, err := s.onlyRecords(service.Dir)
	switch {
	case err != nil:
		return err
	case !only:
		return refuse(fmt.Errorf("%s exists already, and is no service: take another name, or move the folder away", service.Dir))
	}
	s.remade = service.Dir
	return nil
}

// forgetRemoved drops what is recorded of a removed service for files that the new one in its folder doesn't have.
func (s *session) forgetRemoved(p *plan.Plan) error {
	if s.remade == "" {
		return nil
	}
	removed, err := s.State(s.remade)
	if err != nil {
		return err
	}
	planned := map[string]bool{}
	for _, a := range p.Actions {
		planned[a.Path] = true
	}
	for name := range removed.Files {
		if !planned[name] {
			p.Actions = append(p.Actions, plan.Action{Path: name, Op: plan.Skip, Owner: s.remade, Reason: "was of the removed service"})
		}
	}
	slices.SortFunc(p.Actions, func(a, b plan.Action) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// whyNoSeeds proves a declaration from which no contract could be made, so that a person learns the place and a remedy. An empty
// contract and empty schemas stand in for those.
func (s *session) whyNoSeeds(service *spec.Service, text []byte, cause error) error {
	file := path.Join(service.Dir, spec.ServiceFile)
	files := map[string][]byte{
		file: text,
		path.Join(service.Dir, service.HTTP.Contract): []byte("openapi: 3.0.3\ninfo: {title: none, version: 1.0.0}\npaths: {}\n"),
	}
	for _, t := range service.Events.Publishes {
		files[path.Join(spec.EventsDir, t+".json")] = []byte(`{"type": "object"}`)
	}
	m, err := s.foresee(files, "")
	if err == nil {
		err = prove(m, nil)
	}
	var problems spec.Problems
	if !errors.As(err, &problems) {
		return refuse(cause)
	}
	problems = slices.DeleteFunc(problems, func(p spec.Problem) bool { return p.File != file })
	if len(problems) == 0 {
		return refuse(cause)
	}
	return refuse(problems)
}
