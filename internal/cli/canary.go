package cli

import (
	"cmp"
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
	{"start", "run another version beside the one that answers; it gets no share yet, only requests with its header"},
	{"step", "give it the next share of the requests (5, 10, 25, 50, 100 percent), or the one of --weight"},
	{"promote", "make it the version that answers, once it gets everything; the other one's pods go"},
	{"abort", "give it nothing more, not even requests with its header; a second time, its pods go"},
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
Each move is one to commit and deploy before the next, and to let take effect: wait until the pods of start are ready. Then none of
them sends a request to pods that are not there: they run before they get a share, and get nothing before they go. A version that
consumes events handles its part of them as soon as its pods run, whatever its share.

With --blue-green there are no shares between nothing and everything. The other version has run.replicas.min pods then, and the
autoscaler needs a while for more: where the first runs more than that, raise run.replicas.min before, or take the steps.`,
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
			if err := wish.check(args[0], args[1]); err != nil {
				return err
			}
			return a.with(func(s *session) error { return a.canary(cmd.Context(), s, args[0], args[1], wish, show) })
		},
	}
	show.flags(cmd)
	cmd.Flags().StringVar(&wish.version, "version", "", "for start: the version, which is also the tag of its image (default: the one after the one that answers)")
	cmd.Flags().IntVar(&wish.weight, "weight", 0, "for step: the share of the requests that it gets, in percent")
	cmd.Flags().StringVar(&wish.header, "header", "", "NAME=VALUE of the header that leads to it whatever the share (default of start: x-canary=true)")
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
func (w canaryWish) check(name, move string) error {
	allowed, known := map[string][]string{
		"start": {"version", "header", "mirror"}, "step": {"weight", "header", "mirror", "blue-green"}, "promote": {}, "abort": {},
	}[move]
	if !known {
		return usage("canary: nothing is called %q: take start, step, promote or abort, such as `scaffold canary catalog start`", move)
	}
	if move == "start" && w.given["weight"] {
		return usage("canary start: --weight does not belong to it: start brings the pods up with no traffic; "+
			"use `scaffold canary %s step --weight %d` when they are ready", name, w.weight)
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
		edits = spec.SetCanary(spec.Canary{Weight: weight, Header: w.namedHeader()})
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
	if now.Weight == 0 && now.Mirror == 0 && now.Header == nil {
		return []spec.Change{spec.RemoveCanary()}, []string{"scaffold check", "prove all of it"}, nil
	}
	edits = []spec.Change{spec.SetCanaryWeight(0), spec.RemoveCanaryHeader()}
	if now.Mirror > 0 {
		edits = append(edits, spec.SetCanaryMirror(0))
	}
	return edits, []string{command + "abort", "take its pods away, once this is deployed and the last requests are answered"}, nil
}

func (w canaryWish) start(s *spec.Service) ([]spec.Change, error) {
	if now := s.Traffic.Canary; now != nil {
		return nil, fmt.Errorf("%s has a canary already: %s gets %d %%: go on with `scaffold canary %s step`, promote or abort", s.Name, now.Version, now.Weight, s.Name)
	}
	c := spec.Canary{Version: w.version, Header: cmp.Or(w.namedHeader(), &spec.Header{Name: "x-canary", Value: "true"}), Mirror: w.mirror}
	if c.Version == "" {
		c.Version = spec.NextVersion(s.Traffic.Version)
	}
	if c.Version == s.Traffic.Version {
		return nil, fmt.Errorf("%s answers with %s already: try another one, such as `scaffold canary %s start --version %s`", s.Name, c.Version, s.Name, spec.NextVersion(c.Version))
	}
	return spec.SetCanary(c), nil
}

// namedHeader is that of --header, nil when none is given.
func (w canaryWish) namedHeader() *spec.Header {
	name, value, ok := strings.Cut(w.header, "=")
	if !ok {
		return nil
	}
	return &spec.Header{Name: name, Value: value}
}

// step gives the next share.
func (w canaryWish) step(s *spec.Service) (int, error) {
	now := s.Traffic.Canary.Weight
	switch {
	case w.blueGreen:
		return 100, nil
	case w.given["weight"]:
		return w.weight, nil
	case w.given["mirror"], w.given["header"]:
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
	if p.Changes() {
		a.notices(warnings(service, c.after.Service(name), move))
	}
	done, err := a.carryOut(ctx, s, p, nil, show)
	if done && p.Changes() {
		a.say("\n%s\n", shares(c.after.Service(name)))
		a.next(append(next, "scaffold undo", "take this back")...)
	}
	return err
}

// warnings say what a move does that its name does not.
func warnings(before, after *spec.Service, move string) []string {
	c := after.Traffic.Canary
	if c == nil {
		return nil
	}
	if consumed := after.Events.Consumes; move == "start" && len(consumed) > 0 {
		return []string{fmt.Sprintf("%s consumes events (%s): both versions are one consumer group, so the pods of %s handle a part of them as soon as they run; "+
			"what it makes of them must suit both versions (docs/mesh.md: Events and a canary)", after.Name, strings.Join(consumed, ", "), c.Version)}
	}
	pods := after.Run.Replicas
	if was := before.Traffic.Canary; move == "step" && was != nil && was.Weight < 50 && c.Weight == 100 && pods.Max > pods.Min {
		return []string{fmt.Sprintf("%s has %d pods (run.replicas.min) when it gets everything, and %s may have up to %d by now: where it has more, "+
			"raise run.replicas.min and deploy that first, or take the steps in between", c.Version, pods.Min, after.Traffic.Version, pods.Max)}
	}
	return nil
}

// shares says who gets what now.
func shares(s *spec.Service) string {
	c := s.Traffic.Canary
	if c == nil {
		return fmt.Sprintf("%s: %s gets 100 %%", s.Name, s.Traffic.Version)
	}
	text := fmt.Sprintf("%s: %s gets %d %%, %s gets %d %%", s.Name, s.Traffic.Version, 100-c.Weight, c.Version, c.Weight)
	if c.Header != nil {
		text += fmt.Sprintf(" and all with the header %s: %s", c.Header.Name, c.Header.Value)
	}
	if c.Mirror > 0 {
		text += fmt.Sprintf(", and copies of %d %% of what is read", c.Mirror)
	}
	return text
}
