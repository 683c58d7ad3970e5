package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// model reads the platform for completion: what can't be read completes nothing.
func (a *app) model() *spec.Model {
	var m *spec.Model
	err := a.with(func(s *session) (err error) {
		m, err = spec.Load(s.FS())
		return err
	})
	if err != nil || m == nil {
		return new(spec.Model)
	}
	return m
}

func serviceNames(m *spec.Model) []string {
	names := make([]string, 0, len(m.Services))
	for _, s := range m.Services {
		names = append(names, s.Name+"\t"+s.Summary)
	}
	return names
}

func eventTypes(m *spec.Model) []string { return slices.Sorted(maps.Keys(m.Events)) }

// completeServices completes any number of names, each once.
func (a *app) completeServices(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	names := slices.DeleteFunc(serviceNames(a.model()), func(n string) bool {
		name, _, _ := strings.Cut(n, "\t")
		return slices.Contains(args, name)
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeService completes one name.
func (a *app) completeService(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeServices(cmd, args, typed)
}

// completeAdd completes a name, a kind, and what the kind takes.
func (a *app) completeAdd(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeService(cmd, args, typed)
	}
	var out []string
	switch kind := append(args, "")[1]; {
	case len(args) == 1:
		for _, k := range additions() {
			out = append(out, k.kind+"\t"+k.arguments)
		}
	case kind == "call":
		return a.completeCall(cmd, args, typed)
	case kind == "event" && len(args) == 2:
		out = []string{"publish", "consume"}
	case kind == "event":
		out = eventTypes(a.model())
	case kind == "operation" && len(args) == 3:
		out = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	case kind == "ingress":
		if s := a.model().Service(args[0]); s != nil && s.Contract != nil {
			out = slices.Sorted(maps.Keys(s.Contract.Operations))
		}
	case kind == "database" && len(args) == 2:
		out = []string{"postgres"}
	case kind == "cache" && len(args) == 2:
		out = []string{"redis"}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeCall completes SERVICE:operation, and after a comma the next operation.
func (a *app) completeCall(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	all := operations(a.model())
	service, list, chosen := strings.Cut(typed, ":")
	begun := strings.LastIndex(list, ",")
	if !chosen || begun < 0 {
		return all, cobra.ShellCompDirectiveNoFileComp
	}
	before := words(list[:begun])
	var out []string
	for _, o := range all {
		s, id, _ := strings.Cut(o, ":")
		if s == service && !slices.Contains(before, id) {
			out = append(out, service+":"+list[:begun+1]+id)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeWish completes the flags of new.
func (a *app) completeWish(cmd *cobra.Command) {
	fixed := func(choices ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
	}
	events := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return eventTypes(a.model()), cobra.ShellCompDirectiveNoFileComp
	}
	completeFlag(cmd, "database", fixed("none", "postgres"))
	completeFlag(cmd, "cache", fixed("none", "redis"))
	completeFlag(cmd, "call", a.completeCall)
	completeFlag(cmd, "publish", events)
	completeFlag(cmd, "consume", events)
	for _, flag := range []string{"resource", "owner", "summary", "ingress", "external"} {
		completeFlag(cmd, flag, cobra.NoFileCompletions)
	}
}

// completeFlag panics on a flag that the command doesn't have: a mistake in this package.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err)
	}
}

// teachCompletion gives the completion command, which cobra makes, examples like the others'.
func (a *app) teachCompletion(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Short = "Print a script that lets your shell complete commands, services and operations"
			cmd.Example = `  source <(scaffold completion bash)
  scaffold completion zsh > "${fpath[1]}/_scaffold"
  scaffold completion fish > ~/.config/fish/completions/scaffold.fish`
			cmd.Args = arguments(0, 0, "scaffold completion bash|zsh|fish|powershell")
			cmd.RunE = func(*cobra.Command, []string) error {
				return usage("completion: the shell is missing: scaffold completion bash|zsh|fish|powershell")
			}
		case "help":
			cmd.Example = "  scaffold help new"
		}
	}
}
