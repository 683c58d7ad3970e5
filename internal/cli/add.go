package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/plan"
	"github.com/trellis-mesh/trellis/internal/render"
	"github.com/trellis-mesh/trellis/internal/spec"
)

// addition is one kind of thing that add adds.
type addition struct {
	kind, arguments, example string
	least                    int // arguments
	// changes turns the arguments into edits of service.yaml.
	changes func(args []string) ([]spec.Change, error)
}

func additions() []addition {
	return []addition{
		{"operation", "ID METHOD PATH", "add orders operation cancelOrder POST /v1/orders/{id}/cancel", 3, nil},
		{"call", "SERVICE:operation,operation…", "add orders call inventory:getStock,reserveStock", 1, addCalls},
		{"event", "publish|consume TYPE…", "add orders event publish order.cancelled.v1", 2, addEvents},
		{"database", "[postgres]", "add orders database", 0, kind("database", "postgres", spec.SetDatabase)},
		{"shards", "NAME…", "add users shards s1 s2 s3", 1, addShards},
		{"cache", "[redis]", "add orders cache", 0, kind("cache", "redis", spec.SetCache)},
		{"ingress", "OPERATION…", "add orders ingress createOrder", 1, addIngress},
		{"external", "HOST[:PORT]…", "add payments external api.psp.example:443", 1, addExternals},
	}
}

func (a *app) addCommand() *cobra.Command {
	var show showing
	var summary string
	kinds, examples := additionHelp()
	cmd := &cobra.Command{
		Use:   "add NAME KIND …",
		Short: "Add an operation, a call, an event, a database, shards of it, or a cache to a service",
		Long: `Add edits the service's service.yaml, or its contract, keeping your comments and their order, and writes what follows from it, all
in one step. What it can add:

` + kinds,
		Example:           examples,
		Args:              arguments(2, -1, "scaffold add NAME operation|call|event|database|shards|cache …"),
		ValidArgsFunction: a.completeAdd,
		RunE: func(cmd *cobra.Command, args []string) error {
			i := slices.IndexFunc(additions(), func(k addition) bool { return k.kind == args[1] })
			if i < 0 {
				return usage("add: nothing called %q can be added: take one of\n%s", args[1], strings.TrimRight(kinds, "\n"))
			}
			what := additions()[i]
			if len(args)-2 < what.least {
				return usage("add %s: an argument is missing: %s, such as `scaffold %s`", what.kind, what.arguments, what.example)
			}
			return a.with(func(s *session) error { return a.add(cmd.Context(), s, args[0], what, args[2:], summary, show) })
		},
	}
	show.flags(cmd)
	cmd.Flags().StringVar(&summary, "summary", "", "for an operation: what it does, in a sentence")
	return cmd
}

func additionHelp() (kinds, examples string) {
	for _, k := range additions() {
		kinds += fmt.Sprintf("  %-10s %s\n", k.kind, k.arguments)
		examples += "  scaffold " + k.example + "\n"
	}
	return kinds, strings.TrimRight(examples, "\n")
}

func addCalls(args []string) ([]spec.Change, error) {
	var out []spec.Change
	for _, text := range args {
		call, err := parseCall(text)
		if err != nil {
			return nil, err
		}
		out = append(out, spec.AddCall(call.Service, call.Operations...))
	}
	return out, nil
}

func addEvents(args []string) ([]spec.Change, error) {
	switch args[0] {
	case "publish":
		return []spec.Change{spec.AddPublished(args[1:]...)}, nil
	case "consume":
		return []spec.Change{spec.AddConsumed(args[1:]...)}, nil
	}
	return nil, usage("add event: want publish or consume, not %q, such as `scaffold add orders event publish order.cancelled.v1`", args[0])
}

func addShards(args []string) ([]spec.Change, error) {
	return []spec.Change{spec.SetDatabase("postgres"), spec.AddShards(args...)}, nil
}

func addIngress(args []string) ([]spec.Change, error) {
	return []spec.Change{spec.AddIngress(args...)}, nil
}

func addExternals(args []string) ([]spec.Change, error) {
	var out []spec.Change
	for _, text := range args {
		e, err := parseExternal(text)
		if err != nil {
			return nil, err
		}
		out = append(out, spec.AddExternal(e))
	}
	return out, nil
}

// kind is an addition that takes at most the name of a kind.
func kind(what, standard string, set func(string) spec.Change) func([]string) ([]spec.Change, error) {
	return func(args []string) ([]spec.Change, error) {
		if len(args) > 1 {
			return nil, usage("add %s: %q is one argument too many", what, args[1])
		}
		return []spec.Change{set(strings.Join(append(args, standard)[:1], ""))}, nil
	}
}

func (a *app) add(ctx context.Context, s *session, name string, what addition, args []string, summary string, show showing) error {
	m, err := spec.Load(s.FS())
	if err != nil {
		return refuse(err)
	}
	service := m.Service(name)
	if service == nil {
		return refuse(noService(m, name))
	}
	o, err := s.owner(service)
	if err != nil {
		return err
	}
	c := change{name: name, before: m}
	if what.changes == nil {
		err = s.addOperation(&c, o, args, summary)
	} else {
		err = s.addDeclared(&c, o, what, args)
	}
	if err != nil {
		return err
	}
	if c.after, err = s.foresee(contents(c.seeds, c.edits), ""); err != nil {
		return err
	}
	p, err := s.plan(ctx, c)
	if err != nil {
		return err
	}
	done, err := a.carryOut(ctx, s, p, nil, show)
	if done && p.Changes() {
		a.next("go test ./"+service.Dir+"/...", "build and test it", "scaffold undo", "take it back")
	}
	return err
}

// addOperation edits the contract.
func (s *session) addOperation(c *change, o owner, args []string, summary string) error {
	if len(args) > 3 {
		return usage("add operation: %q is one argument too many: want ID METHOD PATH", args[3])
	}
	raw := o.service.Contract.Raw
	edited, err := spec.AddOperation(raw, spec.NewOperation{ID: args[0], Method: strings.ToUpper(args[1]), Path: args[2], Summary: summary})
	if err != nil {
		return refuse(err)
	}
	action, err := s.edit(o, o.service.Contract.Path, edited)
	c.edits = append(c.edits, action)
	return err
}

// addDeclared edits service.yaml. An event type that is new gets a schema to start from.
func (s *session) addDeclared(c *change, o owner, what addition, args []string) error {
	changes, err := what.changes(args)
	if err != nil {
		return err
	}
	edited, err := s.editDeclaration(c, o, changes)
	if err != nil {
		return err
	}
	service, err := spec.ParseService(path.Join(o.service.Dir, spec.ServiceFile), edited)
	if err != nil {
		return refuse(err)
	}
	if slices.ContainsFunc(service.Events.Publishes, func(t string) bool { return c.before.Events[t] == nil }) {
		c.seeds, err = s.schemas(c.before, o, service, edited)
	}
	return err
}

// editDeclaration plans the changes to service.yaml, and gives its text as it will be.
func (s *session) editDeclaration(c *change, o owner, changes []spec.Change) ([]byte, error) {
	file := path.Join(o.service.Dir, spec.ServiceFile)
	disk, err := s.Read(file)
	if err != nil {
		return nil, err
	}
	edited, err := spec.Edit(disk.Content, changes...)
	if err != nil {
		return nil, refuse(err)
	}
	action, err := s.edit(o, file, edited)
	c.edits = append(c.edits, action)
	return edited, err
}

// schemas are those to start from for the event types that have none yet.
func (s *session) schemas(m *spec.Model, o owner, service *spec.Service, declaration []byte) ([]plan.File, error) {
	seeds, err := s.renderer.Seeds(render.SeedInput{Model: m, Service: service, Declaration: declaration, Inputs: o.inputs})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(seeds, func(f plan.File) bool {
		known := m.Events[strings.TrimSuffix(path.Base(f.Path), ".json")] != nil
		return known || path.Dir(f.Path) != spec.EventsDir
	}), nil
}
