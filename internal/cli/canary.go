package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// canarySteps are the shares, in percent, that step goes through.
var canarySteps = []int{5, 10, 25, 50, 100}

// canaryMoves are what can be done with a canary, in their order.
var canaryMoves = []struct{ name, does string }{
	{"start", "run another version beside the one that answers; only requests with its header go there yet"},
	{"step", "give it the next share of the requests (5, 10, 25, 50, 100 percent), or the one of --weight"},
	{"promote", "make it the version that answers, once it gets everything; the other one's pods go"},
	{"abort", "give it nothing more, at once; a second time, its pods go"},
}

// canaryWish is what the command line says.
type canaryWish struct {
	version, header string
	weight, mirror  int
	blueGreen       bool
	given           map[string]bool // flags
}

func (a *app) canaryCommand() *cobra.Command {
	var show showing
	var wish canaryWish
	var moves string
	for _, m := range canaryMoves {
		moves += fmt.Sprintf("  %-8s %s\n", m.name, m.does)
	}
	cmd := &cobra.Command{
		Use:   "canary NAME start|step|promote|abort",
		Short: "Try another version of a service on a share of its requests",
		Long: `Canary edits traffic.canary in the service's service.yaml, keeping your comments, and writes what follows: the Deployment of the
other version beside the first, with the image of that tag, and the shares in the mesh.

` + moves + `
Each move is one to commit and deploy before the next. None of them loses a request: pods are there before they get a share, and get
none before they go. With --blue-green there are no shares between nothing and everything.`,
		Example: `  scaffold canary catalog start --version v2       # its pods run; header x-canary: true leads there
  scaffold canary catalog start --mirror 20        # and they get copies of a fifth of what is read
  scaffold canary catalog step                     # 5 %, and the next time 10 %
  scaffold canary catalog step --weight 50
  scaffold canary catalog step --blue-green        # everything at once
  scaffold canary catalog promote                  # v2 is the version now
  scaffold canary catalog abort                    # everything back to the version before`,
		Args:              arguments(2, 2, "scaffold canary NAME start|step|promote|abort"),
		ValidArgsFunction: a.completeCanary,
		RunE: func(cmd *cobra.Command, args []string) error {
			wish.given = map[string]bool{}
			for _, flag := range []string{"version", "weight", "header", "mirror", "blue-green"} {
				wish.given[flag] = cmd.Flags().Changed(flag)
			}
			if err := wish.check(args[1]); err != nil {
				return err
			}
			return a.with(func(s *session) error { return a.canary(cmd.Context(), s, args[0], args[1], wish, show) })
		},
	}
	show.flags(cmd)
	cmd.Flags().StringVar(&wish.version, "version", "", "for start: the version, which is also the tag of its image (default: the one after the one that answers)")
	cmd.Flags().IntVar(&wish.weight, "weight", 0, "the share of the requests that it gets, in percent")
	cmd.Flags().StringVar(&wish.header, "header", "", "for start: NAME=VALUE of the header that leads to it whatever the share (default x-canary=true)")
	cmd.Flags().IntVar(&wish.mirror, "mirror", 0, "the share of the reading requests that it gets a copy of, in percent; nobody sees its answers")
	cmd.Flags().BoolVar(&wish.blueGreen, "blue-green", false, "for step: everything at once")
	for _, flag := range []string{"version", "weight", "header", "mirror"} {
		completeFlag(cmd, flag, cobra.NoFileCompletions)
	}
	return cmd
}

func (a *app) completeCanary(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.completeServices(cmd, args, typed)
	case 1:
		var out []string
		for _, m := range canaryMoves {
			out = append(out, m.name+"\t"+m.does)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// check refuses what makes no sense whatever is declared.
func (w canaryWish) check(move string) error {
	allowed, known := map[string][]string{
		"start": {"version", "weight", "header", "mirror"}, "step": {"weight", "mirror", "blue-green"}, "promote": {}, "abort": {},
	}[move]
	if !known {
		return usage("canary: nothing is called %q: take start, step, promote or abort, such as `scaffold canary catalog start`", move)
	}
	for _, flag := range []string{"version", "weight", "header", "mirror", "blue-green"} {
		if w.given[flag] && !slices.Contains(allowed, flag) {
			return usage("canary %s: --%s does not belong to it: see `scaffold canary --help`", move, flag)
		}
	}
	for flag, share := range map[string]int{"weight": w.weight, "mirror": w.mirror} {
		if share < 0 || share > 100 {
			return usage("canary %s: --%s %d: a share is 0 to 100 percent", move, flag, share)
		}
	}
	if w.blueGreen && w.given["weight"] {
		return usage("canary %s: --blue-green is everything at once: leave --weight out", move)
	}
	if name, value, ok := strings.Cut(w.header, "="); w.given["header"] && (!ok || name == "" || value == "") {
		return usage("canary %s: --header %q: write NAME=VALUE, such as --header x-canary=true", move, w.header)
	}
	return nil
}

// changes are the edits of service.yaml for a move, and what comes after it.
func (w canaryWish) changes(s *spec.Service, move string) (edits []spec.Change, next []string, err error) {
	now, command := s.Traffic.Canary, "scaffold canary "+s.Name+" "
	if move != "start" && now == nil {
		return nil, nil, fmt.Errorf("%s has no canary: begin one with `%sstart`", s.Name, command)
	}
	abort := []string{command + "abort", "give it nothing more"}
	switch move {
	case "start":
		edits, err = w.start(s)
		return edits, append([]string{command + "step", "give it a first share, once this is deployed and its pods run"}, abort...), err
	case "step":
		weight, err := w.step(s)
		edits = []spec.Change{spec.SetCanaryWeight(weight)}
		if w.given["mirror"] {
			edits = append(edits, spec.SetCanaryMirror(w.mirror))
		}
		if weight == 100 {
			return edits, append([]string{command + "promote", "make it the version, once this is deployed and all is well"}, abort...), err
		}
		return edits, append([]string{command + "step", "give it more, once this is deployed and all is well"}, abort...), err
	case "promote":
		if now.Weight < 100 {
			return nil, nil, fmt.Errorf("the canary %s gets %d %% of %s's requests, and the other version's pods would go while they get the rest: "+
				"give it everything first, and deploy that: `%sstep --weight 100`", now.Version, now.Weight, s.Name, command)
		}
		return []spec.Change{spec.SetVersion(now.Version), spec.RemoveCanary()}, []string{"scaffold check", "prove all of it"}, nil
	}
	if now.Weight == 0 && now.Mirror == 0 {
		return []spec.Change{spec.RemoveCanary()}, []string{"scaffold check", "prove all of it"}, nil
	}
	edits = []spec.Change{spec.SetCanaryWeight(0)}
	if now.Mirror > 0 {
		edits = append(edits, spec.SetCanaryMirror(0))
	}
	return edits, []string{command + "abort", "take its pods away, once this is deployed"}, nil
}

func (w canaryWish) start(s *spec.Service) ([]spec.Change, error) {
	if now := s.Traffic.Canary; now != nil {
		return nil, fmt.Errorf("%s has a canary already: %s gets %d %%: go on with `scaffold canary %s step`, promote or abort", s.Name, now.Version, now.Weight, s.Name)
	}
	c := spec.Canary{Version: w.version, Weight: w.weight, Mirror: w.mirror}
	if c.Version == "" {
		c.Version = spec.NextVersion(s.Traffic.Version)
	}
	if c.Version == s.Traffic.Version {
		return nil, fmt.Errorf("%s answers with %s already: try another one, such as `scaffold canary %s start --version %s`", s.Name, c.Version, s.Name, spec.NextVersion(c.Version))
	}
	if name, value, ok := strings.Cut(w.header, "="); ok {
		c.Header = spec.Header{Name: name, Value: value}
	}
	return spec.SetCanary(c), nil
}

// step gives the next share.
func (w canaryWish) step(s *spec.Service) (int, error) {
	now := s.Traffic.Canary.Weight
	switch {
	case w.blueGreen:
		return 100, nil
	case w.given["weight"]:
		return w.weight, nil
	case w.given["mirror"]:
		return now, nil
	}
	for _, share := range canarySteps {
		if share > now {
			return share, nil
		}
	}
	return 0, fmt.Errorf("the canary %s gets everything already: `scaffold canary %s promote` makes it the version", s.Traffic.Canary.Version, s.Name)
}

func (a *app) canary(ctx context.Context, s *session, name, move string, wish canaryWish, show showing) error {
	m, err := spec.Load(s.FS())
	if err != nil {
		return refuse(err)
	}
	service := m.Service(name)
	if service == nil {
		return refuse(noService(m, name))
	}
	edits, next, err := wish.changes(service, move)
	if err != nil {
		return refuse(err)
	}
	o, err := s.owner(service)
	if err != nil {
		return err
	}
	c := change{name: name, before: m}
	if _, err = s.editDeclaration(&c, o, edits); err != nil {
		return err
	}
	if c.after, err = s.foresee(contents(nil, c.edits), ""); err != nil {
		return err
	}
	p, err := s.plan(ctx, c)
	if err != nil {
		return err
	}
	done, err := a.carryOut(ctx, s, p, nil, show)
	if done && p.Changes() {
		a.say("\n%s\n", shares(c.after.Service(name)))
		a.next(append(next, "scaffold undo", "take this back")...)
	}
	return err
}

// shares says who gets what now.
func shares(s *spec.Service) string {
	c := s.Traffic.Canary
	if c == nil {
		return fmt.Sprintf("%s: %s gets 100 %%", s.Name, s.Traffic.Version)
	}
	text := fmt.Sprintf("%s: %s gets %d %%, %s gets %d %% and all with the header %s: %s", s.Name, s.Traffic.Version, 100-c.Weight, c.Version, c.Weight, c.Header.Name, c.Header.Value)
	if c.Mirror > 0 {
		text += fmt.Sprintf(", and copies of %d %% of what is read", c.Mirror)
	}
	return text
}
